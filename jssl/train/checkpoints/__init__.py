"""Checkpoints: written while the run goes on, checked bit by bit when they are read.

``checkpointer`` decides what is written, kept and restored; ``record`` is what lies beside the arrays, ``verify`` reads
one checkpoint and judges it, ``leaves`` and ``fingerprint`` care for single arrays, ``quiet`` for Orbax's log.
"""

from jssl.train.checkpoints.checkpointer import Checkpointer

__all__ = ["Checkpointer"]
