"""A function over many items in threads."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

__all__ = ["parallel_map"]


def parallel_map(function: Callable, items: Iterable, threads: int | None = None) -> list:
    """function over items in order, in threads (decoding and zlib release the GIL)."""
    items = list(items)
    threads = threads or min(16, cpu_count() or 1)
    if threads == 1 or len(items) < 2:
        return [function(item) for item in items]
    # A few hundred items a task: handing single 32 pixel images to the pool costs more than decoding them.
    size = max(1, min(256, len(items) // threads))
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    with ThreadPoolExecutor(threads) as pool:
        done = pool.map(lambda chunk: [function(item) for item in chunk], chunks)
        return [value for values in done for value in values]
