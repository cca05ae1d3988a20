"""Sources of sound and video files."""
