"""Single texts as a data set, to be read by the text readout: prompts of a classifier, captions of a test split."""

from collections.abc import Sequence

import jax
import numpy as np

from jssl.data.source import Source

__all__ = ["Texts", "tokenise"]

PADDING = 0
"""What a caption is filled up with, whatever its tokenizer; a row of nothing else is no caption."""


class Texts(Source):
    """Each example is one text: ``captions`` (1, L) int32.

    Args:
      tokens: (N, L) int32, filled up with ``PADDING``.

    Raises:
      ValueError: another shape or dtype.

    >>> source = Texts(np.array([[5, 6, 0], [7, 0, 0]], np.int32))
    >>> len(source), source[1]["captions"].tolist()
    (2, [[7, 0, 0]])
    """

    def __init__(self, tokens: np.ndarray):
        if tokens.ndim != 2 or tokens.dtype != np.int32:
            raise ValueError(f"texts are (N, L) int32 tokens, not {tokens.dtype} {tokens.shape}")
        self._tokens = tokens
        self.spec = {"captions": jax.ShapeDtypeStruct((1, tokens.shape[1]), np.int32)}

    def __len__(self):
        return len(self._tokens)

    def __getitem__(self, index):
        return {"captions": self._tokens[index][None]}


def tokenise(texts: Sequence[str], tokenizer: str, length: int) -> np.ndarray:
    """Texts as rows of tokens, made as the captions of a source are, see ``jssl.data.text.tokenizers.row``.

    Args:
      texts: N of them.
      tokenizer: what ``jssl.data.text.tokenizers.make`` takes.
      length: L; longer texts are cut, shorter ones filled up.

    Returns:
      (N, L) int32.

    Raises:
      ValueError: no text, or one that the tokenizer refuses.
    """
    if not texts:
        raise ValueError("there are no texts to tokenise")
    from jssl.data.text import tokenizers

    made = tokenizers.make(tokenizer)
    return np.stack([tokenizers.row(made, text, length) for text in texts])
