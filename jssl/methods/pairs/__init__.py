"""Pairs of fields of one example: pictures and their captions, clips and their sound."""
