"""Layer-wise trust ratios: the size of an update follows the size of the parameter (LARS, LARC, LAMB)."""

from collections.abc import Callable

import jax.numpy as jnp
import optax

from jssl.train.groups import is_stacked, map_with_path
from jssl.train.schedules import Schedule


def scale_by_trust_ratio(coefficient: float, adapted: Callable) -> optax.GradientTransformation:
    """Scales the update u of an adapted parameter p by coefficient ||p|| / ||u||, or 1 where either is zero.

    ``optax.scale_by_trust_ratio`` takes one norm of a whole stack of layers; this takes one for each layer.

    Args:
      coefficient: the trust coefficient.
      adapted: tree -> tree of bool, which leaves are scaled.

    Returns:
      A stateless optax gradient transformation.
    """
    return optax.stateless(lambda updates, params: _scale(updates, params, adapted, lambda ratio: coefficient * ratio))


def scale_by_clipped_trust_ratio(
    coefficient: float, adapted: Callable, learning_rate: float | Schedule
) -> optax.GradientTransformation:
    """Scales by min(r / learning rate, 1), with r that of ``scale_by_trust_ratio``.

    Times the learning rate, which the caller applies, a layer's rate is r, but at most the learning rate.
    """
    schedule = learning_rate if callable(learning_rate) else optax.constant_schedule(learning_rate)

    def init(params):
        return optax.ScaleByScheduleState(jnp.zeros((), jnp.int32))

    def update(updates, state, params):
        rate = schedule(state.count)  # 0 at the start of a warmup: the minimum is then 1
        scaled = _scale(updates, params, adapted, lambda ratio: jnp.minimum(coefficient * ratio / rate, 1.0))
        return scaled, optax.ScaleByScheduleState(optax.safe_increment(state.count))

    return optax.GradientTransformation(init, update)


def _scale(updates, params, adapted, factor):
    """Multiplies by factor(||p|| / ||u||), or 1 where either is zero."""

    def scale(path, update, param, adapt):
        if not adapt:
            return update
        axes = tuple(range(1, update.ndim)) if is_stacked(path) else None
        p, u = (jnp.sqrt(jnp.sum(x**2, axes, keepdims=True)) for x in (param, update))
        return update * jnp.where((p > 0) & (u > 0), factor(p / jnp.where(u > 0, u, 1.0)), 1.0)

    return map_with_path(scale, updates, params, adapted(params))
