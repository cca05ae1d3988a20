"""Which features of an encoder: the last layer or several, class token or patches, in words."""

import functools
import inspect
import re
from typing import Any, NamedTuple

import jax.numpy as jnp

from jssl.models import Features
from jssl.models.features import mean_tokens

__all__ = ["WORDS", "is_selection", "select"]

WORDS = ("pooled", "token", "mean", "last<n>")
"""``pooled`` is what the readout gives; ``token`` its class token and ``mean`` the mean of its patches, after the last norm;
``last4`` the pooled outputs of the last four blocks, each after that norm, side by side. A + puts several side by side."""


class Selected(NamedTuple):
    """A readout whose ``pooled`` is what was selected; see ``select``."""

    prepare: Any
    apply: Any


def is_selection(words: str) -> bool:
    """Whether all words are those of a selection.

    >>> is_selection("last4+mean"), is_selection("projector")
    (True, False)
    """
    return all(word in WORDS[:3] or re.fullmatch(r"last[1-9]\d*", word) for word in words.split("+"))


@functools.lru_cache(maxsize=64)  # one compiled program for the encoder of every subject
def select(readout, words: str) -> Selected:
    """A readout of the features that words name.

    Args:
      readout: see ``jssl.evaluation.extract``. For ``last<n>`` its ``apply`` takes ``last``, a number of blocks, and returns
        ``pooled_layers`` (n, B, D).
      words: of ``WORDS``, with + between them.

    Raises:
      ValueError: from ``apply``, where the encoder has no such features.

    >>> plain = Selected(None, lambda params, extra, x: Features(x, jnp.stack([x, 3 * x], 1)))
    >>> select(plain, "pooled+mean").apply(None, None, jnp.ones((1, 2))).pooled.tolist()
    [[1.0, 1.0, 2.0, 2.0]]
    """
    last = max((int(word[4:]) for word in words.split("+") if word.startswith("last")), default=0)

    def apply(params, extra, inputs):
        if last and "last" not in inspect.signature(readout.apply).parameters:
            raise ValueError(f"features={words}: this readout has no blocks to read; use pooled or mean")
        found = readout.apply(params, extra, inputs, **({"last": last} if last else {}))
        parts = [_pick(found, word) for word in words.split("+")]
        return Features(jnp.concatenate(parts, -1), found.tokens)

    return Selected(readout.prepare, apply)


def _pick(found, word: str):
    if word == "mean":
        if found.tokens is None:
            raise ValueError("features=mean: this readout has no patches; use pooled")
        return mean_tokens(found.tokens).astype(jnp.float32)
    if word == "token":
        if found.class_token is None:
            raise ValueError("features=token: this encoder has no class token; use mean or pooled")
        return found.class_token.astype(jnp.float32)
    if word.startswith("last"):
        if found.pooled_layers is None:
            raise ValueError(f"features={word}: this readout has no pooled blocks to read; use pooled or mean")
        layers = found.pooled_layers[-int(word[4:]) :]
        return jnp.concatenate([layer.astype(jnp.float32) for layer in layers], -1)
    return found.pooled.astype(jnp.float32)
