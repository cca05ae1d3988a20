"""Views of one row of tokens."""
