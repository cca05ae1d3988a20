"""The update rule of each optimiser, as optax transformations; ``make_optimizer`` says what each of them is.

Every rule takes the learning rate (number or schedule), the weight decay as a transformation, and ``adapted``, tree -> tree
of bool, the leaves that weight decay and layer-wise rules may touch.
"""

import math
import re
from collections.abc import Callable

import optax
from optax.contrib import MuonDimensionNumbers, scale_by_muon

from jssl.train.groups import is_stacked, map_with_path, scale_updates
from jssl.train.trust_ratio import scale_by_clipped_trust_ratio, scale_by_trust_ratio

__all__ = ["OPTIMIZERS"]


def _momentum(momentum: float, nesterov: bool):
    return optax.trace(momentum, nesterov=nesterov) if momentum else optax.identity()


def _sgd(learning_rate, decay, adapted, *, momentum: float = 0.9, nesterov: bool = False):
    return optax.chain(decay, _momentum(momentum, nesterov), optax.scale_by_learning_rate(learning_rate))


def _adamw(learning_rate, decay, adapted, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8):
    return optax.chain(optax.scale_by_adam(b1, b2, eps), decay, optax.scale_by_learning_rate(learning_rate))


def _lars(
    learning_rate, decay, adapted, *, momentum: float = 0.9, nesterov: bool = False, trust_coefficient: float = 1e-3
):
    trust = scale_by_trust_ratio(trust_coefficient, adapted)
    return optax.chain(decay, trust, _momentum(momentum, nesterov), optax.scale_by_learning_rate(learning_rate))


def _larc(
    learning_rate, decay, adapted, *, momentum: float = 0.9, nesterov: bool = False, trust_coefficient: float = 0.02
):
    trust = scale_by_clipped_trust_ratio(trust_coefficient, adapted, learning_rate)
    return optax.chain(decay, trust, _momentum(momentum, nesterov), optax.scale_by_learning_rate(learning_rate))


def _lars_simclr(
    learning_rate,
    decay,
    adapted,
    *,
    momentum: float = 0.9,
    nesterov: bool = False,
    trust_coefficient: float = 1e-3,
    classic_momentum: bool = True,
):
    trust = scale_by_trust_ratio(trust_coefficient, adapted)
    scale = optax.scale_by_learning_rate(learning_rate)
    if classic_momentum:
        return optax.chain(decay, trust, scale, _momentum(momentum, nesterov))
    return optax.chain(decay, _momentum(momentum, nesterov), trust, scale)


def _lamb(learning_rate, decay, adapted, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-6):
    trust = scale_by_trust_ratio(1.0, adapted)
    return optax.chain(optax.scale_by_adam(b1, b2, eps), decay, trust, optax.scale_by_learning_rate(learning_rate))


def _muon(
    learning_rate,
    decay,
    adapted,
    *,
    momentum: float = 0.95,
    nesterov: bool = True,
    b1: float = 0.9,
    b2: float = 0.95,
    eps: float = 1e-8,
    newton_schulz_steps: int = 5,
    adam: str = r"token|register|embed",
):
    def label(tree):
        return map_with_path(
            lambda path, leaf, adapt: "muon" if adapt and leaf.ndim >= 2 and not re.search(adam, path) else "adam",
            tree,
            adapted(tree),
        )

    def dimensions(tree):
        """(in, out) of a dense kernel, (height, width, in, out) of a convolution: the last axis is the output."""
        return map_with_path(
            lambda path, leaf: MuonDimensionNumbers(tuple(range(is_stacked(path), leaf.ndim - 1)), leaf.ndim - 1), tree
        )

    def rms(path, leaf):
        """Brings an orthogonal update to an RMS of 0.2, like AdamW's: one learning rate serves both groups."""
        return 0.2 * math.sqrt(max(leaf.shape[-1], math.prod(leaf.shape[is_stacked(path) : -1])))

    momentum_rule = scale_by_muon(
        ns_steps=newton_schulz_steps, beta=momentum, eps=eps, nesterov=nesterov, weight_dimension_numbers=dimensions
    )
    rule = optax.partition(
        {"muon": optax.chain(momentum_rule, scale_updates(rms)), "adam": optax.scale_by_adam(b1, b2, eps)}, label
    )
    return optax.chain(rule, decay, optax.scale_by_learning_rate(learning_rate))


OPTIMIZERS: dict[str, Callable] = {
    "sgd": _sgd,
    "adamw": _adamw,
    "lars": _lars,
    "larc": _larc,
    "lars_simclr": _lars_simclr,
    "lamb": _lamb,
    "muon": _muon,
}
