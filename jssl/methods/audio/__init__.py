"""Methods of sounds."""
