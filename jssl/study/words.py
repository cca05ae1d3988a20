"""Words in rows of tokens, whatever the tokens are: bytes, characters or pieces of words."""

import collections
import re
from collections.abc import Iterable, Sequence

import numpy as np

__all__ = ["commonest", "word_pairs"]


def word_pairs(tokens: np.ndarray, segments: np.ndarray, pieces: Sequence[str]) -> list[tuple[int, int, str]]:
    """Where a word ends, and which word stands before it in the same document. Words that the row cuts are left out.

    Args:
      tokens: (N, L) integers.
      segments: (N, L) integers, the document of each token; 0 is padding.
      pieces: what each token stands for; "" for nothing.

    Returns:
      (row, place, word) each: place is that of the last token of a word, word the one before it, in lower case.

    >>> word_pairs(np.array([[0, 1, 2]]), np.ones((1, 3), int), ["on", " ", "Top"])
    []
    >>> word_pairs(np.array([[1, 2, 1, 0, 1]]), np.ones((1, 5), int), ["on", " ", "Top"])
    [(0, 3, 'top')]
    """
    found = []
    for number, (row, document) in enumerate(zip(tokens, segments)):
        texts = [pieces[token] if real else "" for token, real in zip(row, document)]
        text, owner = "".join(texts), np.repeat(np.arange(len(row)), [len(piece) for piece in texts])
        whole = [m for m in re.finditer(r"[^\W\d_]+", text) if 0 < m.start() and m.end() < len(text)]
        for first, second in zip(whole, whole[1:]):
            start, end = owner[first.start()], owner[second.end() - 1]
            if document[start] == document[end]:
                found.append((number, int(end), first.group().lower()))
    return found


def commonest(words: Iterable[str], count: int) -> list[str]:
    """The commonest words, the most frequent first, of equals the first by the alphabet.

    >>> commonest(["a", "star", "a", "ring"], 2)
    ['a', 'ring']
    """
    return [
        word for word, _ in sorted(collections.Counter(words).items(), key=lambda pair: (-pair[1], pair[0]))[:count]
    ]
