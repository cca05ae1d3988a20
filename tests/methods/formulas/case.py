"""What the formulas share: how a loss by hand is noted, and the networks and settings that they are for."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import small
from small import cross, mlp

from jssl.methods import REGISTRY

ENCODER, FINE, TEXT, CAUSAL = small.Patches(), small.Patches(patch_size=1), small.Words(), small.Words(causal=True)
STEP = 4  # of ten that the teacher's temperature rises for
T_STUDENT, T_TEACHER = 0.2, 0.05 + 0.4 * (0.1 - 0.05)


class Case(NamedTuple):
    """A method and its loss by hand.

    Attributes:
      loss: (views, params, fixed, extra, examples) -> loss. ``fixed`` are the parameters that get no gradient: the
        teacher's, or without one those of the network itself.
      options: of the method.
      rtol: of the value; softmaxes at a low temperature magnify rounding.
      apart: how far the points of the difference quotient are; further where part of the formula is in float32.
    """

    loss: Callable
    options: Mapping[str, Any]
    rtol: float = 1e-5
    apart: float = 1e-5


CASES: dict[str, Case] = {}


def by_hand(row: str, *, rtol: float = 1e-5, apart: float = 1e-5, **options):
    """The loss of a method, or of ``"<method>-<what>"``, with these options."""

    def add(loss):
        others = {"text", "audio", "video"} & set(REGISTRY[row.partition("-")[0]].asks)
        given = {} if others else {"encoder": ENCODER, "image": small.image()}
        CASES[row] = Case(loss, given | options, rtol, apart)
        return loss

    return add


def crops(stacked):
    """(B, C, ...) -> C arrays (B, ...)."""
    return list(np.swapaxes(stacked, 0, 1))


def projections(params, images, **norms):
    """Of two views, each by itself."""
    return [mlp(params["projector"], ENCODER(params["encoder"], x).pooled, **norms) for x in crops(images)]


def projections_together(params, images, **norms):
    """Of two views which batch norm sees as one batch."""
    pooled = np.concatenate([ENCODER(params["encoder"], x).pooled for x in crops(images)])
    return np.split(mlp(params["projector"], pooled, **norms), 2)


def among(queries, keys, temperature):
    """InfoNCE: each query finds the key of its row."""
    return cross(np.eye(len(queries)), queries @ keys.T / temperature).mean()
