"""Data sets and the feeds that bring their batches to the devices."""

from jssl.data.arrays import ArraySource
from jssl.data.feeds.feed import make_feed
from jssl.data.feeds.grain import GrainFeed
from jssl.data.feeds.order import batch_indices, index_at
from jssl.data.feeds.resident import ResidentFeed
from jssl.data.registry import open_source, register
from jssl.data.source import About, NoSplit, Source, Spec, stack

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
