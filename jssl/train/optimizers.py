"""Optimisers by name, built from optax transformations.

``make_optimizer`` is one rule with weight decay and learning rate, then constant factors per leaf (layer-wise decay,
groups with a learning rate of their own). ``build`` is what a run takes: the gradient is clipped, the parameters are split
between two such chains where some keep a constant rate, and some are frozen for a while. All state is arrays, so that it
can be sharded, donated and checkpointed; it runs on global arrays, so that norms (clip, LARS, LAMB, Muon) are those of
whole parameters.
"""

import inspect
import re
from collections.abc import Callable, Mapping

import jax
import optax

from jssl.hints import nearest
from jssl.train.groups import (
    is_bias_or_norm,
    map_with_path,
    must_match,
    scale_groups,
    scale_layers,
    split,
    vit_layer,
    withhold,
)
from jssl.train.rules import OPTIMIZERS
from jssl.train.schedules import Schedule

__all__ = ["OPTIMIZERS", "Rate", "build", "make_optimizer"]

Rate = float | Schedule


def make_optimizer(
    name: str,
    *,
    learning_rate: Rate,
    weight_decay: Rate = 0.0,
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
    chain = [OPTIMIZERS[name](learning_rate, decay, adapted, **options)]
    if layer_decay is not None:
        assert num_layers is not None  # checked above
        chain.append(scale_layers(layer_decay, num_layers, layer_of or vit_layer))
    if groups:
        chain.append(scale_groups(groups))
    return _allow_promotion(optax.chain(*chain))


def build(
    name: str,
    *,
    learning_rate: Rate,
    weight_decay: Rate = 0.0,
    clip_norm: float | None = None,
    constant_rate: str = "",
    peak: float | None = None,
    freeze: str = "",
    freeze_for: int = 0,
    **options,
) -> optax.GradientTransformation:
    """The whole optimiser of a run: clip, one or two chains of ``make_optimizer``, freeze.

    Args:
      name: a key of ``OPTIMIZERS``.
      learning_rate: number or schedule.
      weight_decay: number or schedule.
      clip_norm: bound on the norm of the whole gradient, before it is split; None or 0 leaves it alone.
      constant_rate: regex of parameter paths that are trained at ``peak`` all along (SimSiam's predictor).
      peak: their learning rate; needed with ``constant_rate``.
      freeze: regex of parameter paths that stay as they are for the first ``freeze_for`` updates (DINO's last layer).
      freeze_for: how many.
      **options: of ``make_optimizer``.

    Returns:
      An optax gradient transformation.

    Raises:
      ValueError: ``constant_rate`` without ``peak``; whatever ``make_optimizer`` refuses. From its ``init``: a regex that
        finds none of the parameters.

    >>> import jax.numpy as jnp
    >>> tx = build("sgd", learning_rate=1.0, clip_norm=5.0, constant_rate="^b", peak=0.5, momentum=0.0)
    >>> params = {"a": jnp.zeros(1), "b": jnp.zeros(1)}
    >>> updates, _ = tx.update({"a": jnp.array([6.0]), "b": jnp.array([8.0])}, tx.init(params), params)
    >>> float(updates["a"][0]), float(updates["b"][0])
    (-3.0, -2.0)
    """
    if constant_rate and peak is None:
        raise ValueError(f"constant_rate={constant_rate!r} needs peak, the learning rate of these parameters")
    tx = make_optimizer(name, learning_rate=learning_rate, weight_decay=weight_decay, **options)
    if constant_rate:
        assert peak is not None  # checked above
        constant = make_optimizer(name, learning_rate=peak, weight_decay=weight_decay, **options)
        tx = split(constant_rate, constant, tx)
    if clip_norm:  # before the split, so that the norm is that of the whole gradient
        tx = optax.chain(optax.clip_by_global_norm(clip_norm), tx)
    if freeze:
        tx = withhold(tx, freeze, until_step=freeze_for)
    patterns = {"freeze": freeze, "constant_rate": constant_rate}
    patterns |= {f"options.groups, {number + 1}": pattern for number, pattern in enumerate(options.get("groups") or ())}
    return must_match(tx, {f"optimizer.{name}": pattern for name, pattern in patterns.items() if pattern})


def _allow_promotion(tx: optax.GradientTransformation) -> optax.GradientTransformation:
    """Lets callers use strict dtype promotion, which optax's bias correction (float ** int32) does not survive."""

    def update(updates, state, params=None):
        with jax.numpy_dtype_promotion("standard"):
            return tx.update(updates, state, params)

    return optax.GradientTransformation(tx.init, update)
