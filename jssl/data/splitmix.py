"""Counters to numbers that look random, the same with any version of numpy."""

import numpy as np

__all__ = ["mix"]


def mix(x: np.ndarray) -> np.ndarray:
    """The splitmix64 finaliser: every input bit changes every output bit."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2 ** 64 is meant; numpy warns about it for scalars
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
