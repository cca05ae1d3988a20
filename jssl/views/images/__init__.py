"""Views of one picture (H, W, C): crops, colours, corruptions, puzzles."""
