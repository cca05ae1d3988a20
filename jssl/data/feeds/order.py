"""Which examples a step trains on: a pure function of the seed and the step.

Nothing is stored, so a resumed run, a run on other hosts and a run that jumps to any step all see the same batches.
The permutation is a keyed Feistel network in plain integer arithmetic: it costs the size of the batch, not of the data
set, and does not depend on the random number streams of a numpy version.
"""

import numpy as np

from jssl.data.splitmix import mix

__all__ = ["batch_indices", "index_at"]

_ROUNDS = 8
_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def index_at(seed: int, positions: np.ndarray, num_examples: int) -> np.ndarray:
    """The example at each position of the endless shuffled sequence of epochs.

    Epoch e covers positions e N to (e + 1) N - 1 and holds every example exactly once, in its own order.

    Args:
      seed: any integer.
      positions: integers of any shape, at least 0.
      num_examples: N, the size of the data set.

    Returns:
      int64 example indices with the shape of positions.

    Raises:
      ValueError: if num_examples is not positive or a position is negative.

    >>> sorted(index_at(0, np.arange(5, 10), 5).tolist())
    [0, 1, 2, 3, 4]
    """
    if num_examples < 1:
        raise ValueError(f"num_examples is {num_examples}: the data set is empty; point at one with images in it")
    positions = np.asarray(positions, np.int64)
    if positions.size and positions.min() < 0:
        raise ValueError(f"position {positions.min()} is negative; steps start at 0")
    epoch, value = np.divmod(positions, num_examples)
    half = np.uint64(max(1, ((num_examples - 1).bit_length() + 1) // 2))  # the network permutes 2 ** (2 half) values
    low = np.uint64((1 << int(half)) - 1)
    salt = np.uint64((seed * 0x9FB21C651E98DF25) & _MASK)
    with np.errstate(over="ignore"):
        key = mix(mix(epoch.astype(np.uint64) + np.uint64(_GOLDEN)) ^ salt)

    def permute(value, key):
        left, right = value >> half, value & low
        for number in range(_ROUNDS):
            round_key = mix(key ^ np.uint64((number + 1) * _GOLDEN & _MASK))
            left, right = right, left ^ (mix(right ^ round_key) & low)
        return (left << half) | right

    flat, key = value.astype(np.uint64).reshape(-1), key.reshape(-1)
    flat = permute(flat, key)
    outside = np.flatnonzero(flat >= num_examples)
    while outside.size:  # cycle walking: follow the cycle until it is back among the examples (at most 4 N values)
        flat[outside] = permute(flat[outside], key[outside])
        outside = outside[flat[outside] >= num_examples]
    return flat.astype(np.int64).reshape(positions.shape)


def batch_indices(seed: int, step: int, global_batch: int, num_examples: int) -> np.ndarray:
    """The example indices of one global batch.

    Each epoch is a new permutation; a batch at the end of an epoch is filled up from the next one.

    Args:
      seed: any integer.
      step: the step number, from 0.
      global_batch: B, examples in the batch of all hosts together.
      num_examples: N, the size of the data set.

    Returns:
      (B,) int64.

    Raises:
      ValueError: if a size is not positive or the step is negative.

    >>> batch_indices(0, 7, 4, 100).shape
    (4,)
    """
    if global_batch < 1:
        raise ValueError(f"global_batch is {global_batch}; it must be at least 1")
    return index_at(seed, int(step) * global_batch + np.arange(global_batch, dtype=np.int64), num_examples)
