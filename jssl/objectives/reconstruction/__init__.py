"""Losses that rebuild the input itself."""
