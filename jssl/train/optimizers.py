"""Optimisers by name, built from optax transformations.

Every optimiser is one chain: clip, the optimiser's own rule with weight decay and learning rate, then constant factors
per leaf (layer-wise decay, groups with a learning rate of their own). All of its state is arrays, so that it can be
sharded, donated and checkpointed; it runs on global arrays, so that norms (clip, LARS, LAMB, Muon) are those of whole
parameters.
"""

import inspect
import math
import re
from collections.abc import Callable, Mapping

import jax
import optax
from optax.contrib import MuonDimensionNumbers, scale_by_muon

from jssl.hints import nearest
from jssl.train.groups import (
    freeze,
    is_bias_or_norm,
    is_stacked,
    map_with_path,
    scale_groups,
    scale_layers,
    scale_updates,
    split,
    vit_layer,
)
from jssl.train.schedules import Schedule
from jssl.train.trust_ratio import scale_by_clipped_trust_ratio, scale_by_trust_ratio

__all__ = [
    "OPTIMIZERS",
    "freeze",
    "is_bias_or_norm",
    "make_optimizer",
    "scale_groups",
    "scale_layers",
    "split",
    "vit_layer",
]

Rate = float | Schedule


# --- the optimisers: (learning rate, weight decay transformation, mask of the adapted leaves) -> transformation


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


def make_optimizer(
    name: str,
    *,
    learning_rate: Rate,
    weight_decay: Rate = 0.0,
    clip_norm: float | None = None,
    layer_decay: float | None = None,
    num_layers: int | None = None,
    layer_of: Callable[[str, int], int] | None = None,
    groups: Mapping[str, float] | None = None,
    exclude: str | Callable[[str, jax.Array], bool] = is_bias_or_norm,
    **options,
) -> optax.GradientTransformation:
    """Builds an optimiser by name.

    * ``sgd``: g + wd p, heavy-ball momentum, then the learning rate, as in PyTorch (weight decay is coupled).
    * ``adamw``: decoupled weight decay times the learning rate, as in PyTorch.
    * ``lars``: q = c ||p|| / ||g + wd p|| scales the decayed gradient; momentum, then the learning rate (MoCo v3, BYOL,
      Barlow Twins).
    * ``larc``: min(q / learning rate, 1) scales the decayed gradient; momentum, then the learning rate. LARS with
      clipping, as Apex and solo-learn (``clip_lr``) have it, but that theirs divides by ||g|| + wd ||p||.
    * ``lars_simclr``: as SimCLR's code, with the learning rate inside the momentum buffer, which differs once the
      learning rate changes; with ``classic_momentum=False`` the ratio is that of the momentum buffer.
    * ``lamb``: AdamW's update times ||p|| / ||update||, then the learning rate.
    * ``muon``: orthogonalised momentum for matrices and convolutions, Adam for the rest and for what ``adam`` (a regex)
      names; the RMS of both updates is that of AdamW, so its learning rate and weight decay carry over.

    Args:
      name: a key of ``OPTIMIZERS``.
      learning_rate: number or schedule.
      weight_decay: number or schedule (DINO and I-JEPA raise it over the run).
      clip_norm: clips the global gradient norm first.
      layer_decay: the learning rate of layer l is multiplied by layer_decay^(num_layers + 1 - l).
      num_layers: blocks of the encoder; needed with ``layer_decay``.
      layer_of: (path, num_layers) -> layer id in [0, num_layers + 1]; ``vit_layer`` by default.
      groups: regex -> factor on the learning rate of the parameters whose path it finds.
      exclude: (path, leaf) -> True where neither weight decay nor layer adaptation (LARS, LAMB, Muon) is wanted; or a
        regex of paths to exclude beside biases and norms, such as ``"token|pos_embed"``.
      **options: of the optimiser: ``momentum``, ``nesterov``, ``trust_coefficient``, ``b1``, ``b2``, ``eps``...

    Returns:
      An optax gradient transformation.

    Raises:
      ValueError: unknown name or option (the nearest is named); ``layer_decay`` without ``num_layers``.

    >>> import jax.numpy as jnp
    >>> tx = make_optimizer("sgd", learning_rate=0.5, momentum=0.0)
    >>> params = {"kernel": jnp.ones((1, 1))}
    >>> updates, _ = tx.update({"kernel": jnp.ones((1, 1))}, tx.init(params), params)
    >>> float(updates["kernel"][0, 0])
    -0.5

    References: LARS, You et al. 2017, arXiv:1708.03888; LAMB, You et al. 2019, arXiv:1904.00962; Muon, Jordan et al.
    2024, with the update scale of Liu et al. 2025, arXiv:2502.16982.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"no optimizer {name!r}{nearest(name, OPTIMIZERS)}")
    known = [p.name for p in inspect.signature(OPTIMIZERS[name]).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}{nearest(option, known)}")
    if layer_decay is not None and num_layers is None:
        raise ValueError("layer_decay needs num_layers, the number of blocks of the encoder")

    if isinstance(exclude, str):
        pattern = exclude
        exclude = lambda path, leaf: is_bias_or_norm(path, leaf) or bool(re.search(pattern, path))  # noqa: E731

    def adapted(tree):
        return map_with_path(lambda path, leaf: not exclude(path, leaf), tree)

    # A constant zero costs nothing; with a schedule optax counts the steps.
    decay = optax.add_decayed_weights(weight_decay, mask=adapted) if weight_decay != 0.0 else optax.identity()
    chain = [optax.clip_by_global_norm(clip_norm)] if clip_norm else []
    chain.append(OPTIMIZERS[name](learning_rate, decay, adapted, **options))
    if layer_decay is not None:
        assert num_layers is not None  # checked above
        chain.append(scale_layers(layer_decay, num_layers, layer_of or vit_layer))
    if groups:
        chain.append(scale_groups(groups))
    return _allow_promotion(optax.chain(*chain))


def _allow_promotion(tx: optax.GradientTransformation) -> optax.GradientTransformation:
    """Lets callers use strict dtype promotion, which optax's bias correction (float ** int32) does not survive."""

    def update(updates, state, params=None):
        with jax.numpy_dtype_promotion("standard"):
            return tx.update(updates, state, params)

    return optax.GradientTransformation(tx.init, update)
