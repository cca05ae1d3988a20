"""Methods that learn from clips."""
