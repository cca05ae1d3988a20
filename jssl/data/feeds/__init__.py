"""Feeds bring batches to the devices, in an order that is a function of the seed and the step."""
