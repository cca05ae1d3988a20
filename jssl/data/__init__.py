"""Data sets and the feeds that bring their batches to the devices."""

from jssl.data.grain_feed import GrainFeed
from jssl.data.order import batch_indices, index_at
from jssl.data.resident import ResidentFeed
from jssl.data.source import ArraySource, Source, open_source

__all__ = ["ArraySource", "GrainFeed", "ResidentFeed", "Source", "batch_indices", "index_at", "open_source"]
