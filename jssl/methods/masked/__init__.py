"""Masked prediction: what was hidden, in pixels or in features."""
