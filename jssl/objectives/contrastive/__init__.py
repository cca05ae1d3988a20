"""Losses that tell an example from the others of the batch, or of a queue."""
