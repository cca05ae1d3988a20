"""Files in folders and archives, whatever they hold: which there are, their classes and splits."""
