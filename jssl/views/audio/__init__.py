"""Views of sounds: waves, spectrograms and what is hidden of them."""
