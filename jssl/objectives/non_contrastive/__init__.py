"""Losses that pull the views of an example together and need no negatives."""
