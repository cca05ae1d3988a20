"""Optical flow without labels: what a flow explains of a pair of frames."""
