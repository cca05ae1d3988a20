"""Examples that are read from files, of which some may be damaged."""

import abc
import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from jssl.data.source import Source

__all__ = ["ReadSource", "fingerprint"]


class ReadSource(Source):
    """One file an example; a subclass says in `example` how it is read.

    Args:
      names: name of each example, for messages and the fingerprint. A subclass with its own `name` and ``__len__`` may
        give any text that says what the examples are.
      on_error: "raise", or "skip": an unreadable example is replaced by the next readable one and noted in `replaced`.

    Raises:
      ValueError: if ``on_error`` is neither.
    """

    WHAT = "files"  # what messages call the examples
    names: Sequence[str]

    def __init__(self, names: Sequence[str], on_error: str = "raise"):
        if on_error not in ("raise", "skip"):
            raise ValueError(f'on_error is "{on_error}"; use "raise" or "skip"')
        self.names, self.on_error = names, on_error

    @abc.abstractmethod
    def example(self, index: int) -> dict[str, np.ndarray]:
        """An example; ValueError or OSError where it cannot be read."""

    def name(self, index: int) -> str:
        """What messages call an example."""
        return self.names[index]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        index = range(len(self))[index]
        for offset in range(len(self)):
            at = (index + offset) % len(self)  # the neighbour: deterministic and mostly of the same class
            try:
                return self.example(at)
            except (ValueError, OSError) as error:
                if self.on_error == "raise":
                    raise ValueError(
                        f'cannot read {self.name(at)}: {error}; repair or remove it, or use on_error="skip"'
                    ) from error
                self.note_replaced(at)
        raise ValueError(f"none of the {len(self)} {self.WHAT} can be read; the first is {self.name(0)}")


def fingerprint(names: Sequence[str], contents: Iterable[bytes], *options: object) -> str:
    """Hash of all names, of the content of some files, or what stands for it, and of the options."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update("\n".join(names).encode("utf-8", "surrogateescape"))
    for content in contents:
        digest.update(content)
    digest.update(repr(options).encode())
    return digest.hexdigest()
