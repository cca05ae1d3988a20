"""Losses that name a class, or a token, at every position."""
