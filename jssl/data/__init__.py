"""Data sets and the feeds that bring their batches to the devices."""

from jssl.data.arrays import ArraySource
from jssl.data.feed import make_feed
from jssl.data.grain_feed import GrainFeed
from jssl.data.order import batch_indices, index_at
from jssl.data.resident import ResidentFeed
from jssl.data.source import About, NoSplit, Source, Spec, open_source, register, stack

__all__ = [
    "About",
    "ArraySource",
    "GrainFeed",
    "NoSplit",
    "ResidentFeed",
    "Source",
    "Spec",
    "batch_indices",
    "index_at",
    "make_feed",
    "open_source",
    "register",
    "stack",
]
