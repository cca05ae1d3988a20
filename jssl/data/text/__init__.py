"""Text files as rows of tokens."""
