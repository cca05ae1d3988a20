"""Sources that code makes from a seed."""
