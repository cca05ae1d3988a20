"""Sources of pictures, and of pictures with captions."""
