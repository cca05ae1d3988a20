"""Pretext tasks: naming what was done to a picture."""
