"""Losses of frames of sound, of which the true number varies from example to example."""
