"""Puts this folder on the import path of the tests in its sub-folders, which share on_devices.py."""
