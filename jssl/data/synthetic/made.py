"""Examples that code makes from a seed, many at a time."""

import abc
import math
import threading

import numpy as np

from jssl.data.source import Source, Spec

__all__ = ["MadeSource"]

_BLOCK = 32  # examples that are made together
_KEPT = 1 << 30  # bytes of examples that are kept, at most


class MadeSource(Source):
    """Neighbours are made along with an example and kept, unless the set is too large.

    Args:
      split: "train" or "test": different examples of the same distribution.
      num_examples: examples in "train"; "test" has a fifth of it.
      spec: see ``Source``.

    Raises:
      ValueError: no such split, or no examples.
    """

    def __init__(self, split: str, num_examples: int, spec: Spec):
        if split not in ("train", "test"):
            raise ValueError(f'split is "{split}"; use "train" or "test"')
        if num_examples < 1:
            raise ValueError(f"num_examples={num_examples}; use at least 1")
        self.split, self.spec = split, spec
        self._length = num_examples if split == "train" else -(-num_examples // 5)
        self._blocks: dict[int, dict[str, np.ndarray]] = {}
        self._locks = self._make_locks()

    @abc.abstractmethod
    def _examples(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """The (n,) examples, stacked."""

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        index = range(len(self))[index]
        if not self._kept:
            return {name: array[0] for name, array in self._examples(np.array([index])).items()}
        number, row = divmod(index, _BLOCK)
        with self._locks[number]:  # of two threads that ask for a block, one makes it
            if number not in self._blocks:
                block = self._examples(np.arange(number * _BLOCK, min((number + 1) * _BLOCK, len(self))))
                for array in block.values():
                    array.flags.writeable = False
                self._blocks[number] = block
        return {name: array[row] for name, array in self._blocks[number].items()}

    def __getstate__(self):
        return self.__dict__ | {"_blocks": {}, "_locks": None}

    def __setstate__(self, state):
        self.__dict__ |= state
        self._locks = self._make_locks()

    @property
    def _kept(self) -> bool:
        """Whether what was made is kept."""
        each = sum(math.prod(field.shape) * np.dtype(field.dtype).itemsize for field in self.spec.values())
        return len(self) * each <= _KEPT

    def _make_locks(self):
        return [threading.Lock() for _ in range(-(-len(self) // _BLOCK))] if self._kept else []
