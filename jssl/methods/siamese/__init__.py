"""Two networks or two views compared without negatives."""
