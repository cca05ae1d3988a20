"""How fast a recipe is on the devices at hand, and what it waits for."""

from jssl.bench.measure import Bench, bench

__all__ = ["Bench", "bench"]
