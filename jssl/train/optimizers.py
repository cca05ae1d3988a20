"""Optimisers by name, built from optax transformations.

Every optimiser is one chain: clip, the optimiser's own rule with weight decay and learning rate, then constant factors
per leaf (layer-wise decay, groups with a learning rate of their own). All of its state is arrays, so that it can be
sharded, donated and checkpointed; it runs on global arrays, so that norms (clip, LARS, LAMB, Muon) are those of whole
parameters.
"""

import difflib
import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers, scale_by_muon

from jssl.train.schedules import Schedule

__all__ = ["OPTIMIZERS", "freeze", "is_bias_or_norm", "make_optimizer", "scale_groups", "scale_layers", "vit_layer"]

Rate = float | Schedule


def is_bias_or_norm(path: str, leaf: jax.Array) -> bool:
    """True for biases, norm scales and other vectors, which get neither weight decay nor layer adaptation.

    >>> is_bias_or_norm("encoder/norm/scale", jnp.zeros(3)), is_bias_or_norm("encoder/head/kernel", jnp.zeros((3, 3)))
    (True, False)
    """
    # By name too: in a scanned stack of blocks a bias has a leading layer axis.
    return leaf.ndim <= 1 or path.rsplit("/", 1)[-1] in ("bias", "scale")


def _map_with_path(function: Callable, tree):
    """Maps function(path, leaf); a path reads ``encoder/block0/norm1/scale``."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: function(jax.tree_util.keystr(path, simple=True, separator="/"), leaf), tree
    )


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
    trust = optax.masked(optax.scale_by_trust_ratio(trust_coefficient=trust_coefficient), adapted)
    return optax.chain(decay, trust, _momentum(momentum, nesterov), optax.scale_by_learning_rate(learning_rate))


def _lars_simclr(
    learning_rate, decay, adapted, *, momentum: float = 0.9, nesterov: bool = False, trust_coefficient: float = 1e-3,
    classic_momentum: bool = True,
):  # fmt: skip
    trust = optax.masked(optax.scale_by_trust_ratio(trust_coefficient=trust_coefficient), adapted)
    scale = optax.scale_by_learning_rate(learning_rate)
    if classic_momentum:
        return optax.chain(decay, trust, scale, _momentum(momentum, nesterov))
    return optax.chain(decay, _momentum(momentum, nesterov), trust, scale)


def _lamb(learning_rate, decay, adapted, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-6):
    trust = optax.masked(optax.scale_by_trust_ratio(), adapted)
    return optax.chain(optax.scale_by_adam(b1, b2, eps), decay, trust, optax.scale_by_learning_rate(learning_rate))


def _muon(
    learning_rate, decay, adapted, *, momentum: float = 0.95, nesterov: bool = True, b1: float = 0.9, b2: float = 0.95,
    eps: float = 1e-8, newton_schulz_steps: int = 5, adam: str = r"token|position|embed",
):  # fmt: skip
    def is_matrix(tree):
        matrices = _map_with_path(lambda path, leaf: leaf.ndim >= 2 and not re.search(adam, path), tree)
        return jax.tree.map(lambda matrix, adapt: matrix and adapt, matrices, adapted(tree))

    def dimensions(tree):
        """(in, out) of a dense kernel, (height, width, in, out) of a convolution: the last axis is the output."""
        return jax.tree.map(lambda leaf: MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1), tree)

    orthogonal = optax.chain(
        scale_by_muon(
            ns_steps=newton_schulz_steps, beta=momentum, eps=eps, nesterov=nesterov, weight_dimension_numbers=dimensions
        ),
        # An update of RMS 0.2, like AdamW's: one learning rate and one weight decay serve both groups.
        _scale_updates(lambda _, leaf: 0.2 * math.sqrt(max(leaf.shape[-1], math.prod(leaf.shape[:-1])))),
    )
    rule = optax.partition(
        {"muon": orthogonal, "adam": optax.scale_by_adam(b1, b2, eps)},
        lambda tree: jax.tree.map(lambda matrix: "muon" if matrix else "adam", is_matrix(tree)),
    )
    return optax.chain(rule, decay, optax.scale_by_learning_rate(learning_rate))


OPTIMIZERS: dict[str, Callable] = {
    "sgd": _sgd,
    "adamw": _adamw,
    "lars": _lars,
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
    exclude: Callable[[str, jax.Array], bool] = is_bias_or_norm,
    **options,
) -> optax.GradientTransformation:
    """Builds an optimiser by name.

    * ``sgd``: g + wd p, heavy-ball momentum, then the learning rate, as in PyTorch (weight decay is coupled).
    * ``adamw``: decoupled weight decay times the learning rate, as in PyTorch.
    * ``lars``: q = c ||p|| / ||g + wd p|| scales the decayed gradient; momentum, then the learning rate (MoCo v3, BYOL,
      Barlow Twins).
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
      exclude: (path, leaf) -> True where neither weight decay nor layer adaptation (LARS, LAMB) is wanted.
      **options: of the optimiser: ``momentum``, ``nesterov``, ``trust_coefficient``, ``b1``, ``b2``, ``eps``...

    Returns:
      An optax gradient transformation.

    Raises:
      ValueError: unknown name or option (the nearest is named); ``layer_decay`` without ``num_layers``.

    >>> tx = make_optimizer("sgd", learning_rate=0.5, momentum=0.0)
    >>> params = {"kernel": jnp.ones((1, 1))}
    >>> updates, _ = tx.update({"kernel": jnp.ones((1, 1))}, tx.init(params), params)
    >>> float(updates["kernel"][0, 0])
    -0.5

    References: LARS, You et al. 2017, arXiv:1708.03888; LAMB, You et al. 2019, arXiv:1904.00962; Muon, Jordan et al.
    2024, with the update scale of Liu et al. 2025, arXiv:2502.16982.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"no optimizer {name!r}{_nearest(name, OPTIMIZERS)}")
    known = [p.name for p in inspect.signature(OPTIMIZERS[name]).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}{_nearest(option, known)}")
    if layer_decay is not None and num_layers is None:
        raise ValueError("layer_decay needs num_layers, the number of blocks of the encoder")

    def adapted(tree):
        return _map_with_path(lambda path, leaf: not exclude(path, leaf), tree)

    # A constant zero costs nothing; with a schedule optax counts the steps.
    decay = optax.add_decayed_weights(weight_decay, mask=adapted) if weight_decay != 0.0 else optax.identity()
    chain = [optax.clip_by_global_norm(clip_norm)] if clip_norm else []
    chain.append(OPTIMIZERS[name](learning_rate, decay, adapted, **options))
    if layer_decay is not None:
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


def _nearest(word, known) -> str:
    found = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else f"; there are {', '.join(known)}"


# --- constant factors and freezing, by path


def vit_layer(path: str, num_layers: int) -> int:
    """Layer of a ViT parameter: 0 for the embeddings, i + 1 for ``block<i>``, num_layers + 1 for what follows.

    >>> vit_layer("encoder/block3/norm1/scale", 12), vit_layer("encoder/norm/scale", 12)
    (4, 13)
    """
    block = re.search(r"(?:^|/)block(\d+)(?:/|$)", path)
    if block:
        return int(block.group(1)) + 1
    return 0 if re.search(r"token|pos|patch|register|embed", path) else num_layers + 1


def _scale_updates(factor: Callable[[str, jax.Array], float]) -> optax.GradientTransformation:
    """Stateless: multiplies each update by factor(path, leaf)."""
    return optax.stateless(lambda updates, params: _map_with_path(lambda path, u: u * factor(path, u), updates))


def scale_layers(
    decay: float, num_layers: int, layer_of: Callable[[str, int], int] = vit_layer
) -> optax.GradientTransformation:
    """Multiplies the update of layer l by decay^(num_layers + 1 - l): layer-wise learning-rate decay of fine-tuning.

    References: Clark et al. 2020, arXiv:2003.10555; used so by BEiT and MAE.
    """
    return _scale_updates(lambda path, _: decay ** (num_layers + 1 - layer_of(path, num_layers)))


def scale_groups(groups: Mapping[str, float]) -> optax.GradientTransformation:
    """Multiplies the update of each parameter by the factor of every regex that its path contains."""

    def factor(path, _):
        product = 1.0
        for pattern, value in groups.items():
            product *= value if re.search(pattern, path) else 1.0
        return product

    return _scale_updates(factor)


class FreezeState(NamedTuple):
    """Updates seen so far."""

    count: jax.Array


def freeze(which: str | Callable[[str], bool], until_step: int) -> optax.GradientTransformation:
    """Zero updates for a part of the parameters during the first ``until_step`` updates; chain it last.

    Moments go on collecting gradients meanwhile. DINO instead hides the gradient of its last layer from the optimiser,
    so that its moments start at the release; with Adam's shared step count that would make the first updates too large.

    Args:
      which: a regex searched in the parameter path, or path -> bool.
      until_step: the number of updates to suppress.

    Returns:
      An optax gradient transformation.

    >>> tx = optax.chain(optax.sgd(1.0), freeze("head/last", 1))
    >>> params = {"head": {"last": jnp.ones(1)}}
    >>> updates, state = tx.update(params, tx.init(params))
    >>> float(updates["head"]["last"][0]), float(tx.update(params, state)[0]["head"]["last"][0])
    (0.0, -1.0)
    """
    frozen = (lambda path: bool(re.search(which, path))) if isinstance(which, str) else which

    def update(updates, state, params=None):
        del params
        release = state.count >= until_step
        updates = _map_with_path(
            lambda path, u: jnp.where(release, u, jnp.zeros_like(u)) if frozen(path) else u, updates
        )
        return updates, FreezeState(optax.safe_increment(state.count))

    return optax.GradientTransformation(lambda params: FreezeState(jnp.zeros((), jnp.int32)), update)
