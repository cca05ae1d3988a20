"""Pairs of fields of one example: pictures and their captions."""
