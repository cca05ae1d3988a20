"""Losses that predict how a teacher assigns an example to prototypes."""
