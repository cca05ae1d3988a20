"""Schedules: step -> float32 scalar, for learning rate, weight decay, EMA momentum and temperature.

All take Python numbers and a step that may be traced. They are plain optax schedules and go wherever one does. The
cosine is written as sin^2 of what remains, (1 + cos(pi x)) / 2 = sin^2(pi (1 - x) / 2), because the usual form cancels
near the end, where a float32 learning rate would lose half of its digits.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

Schedule = Callable[[int | jax.Array], jax.Array]

__all__ = ["Schedule", "constant", "cosine", "linear", "warmup_cosine"]


def _progress(step, steps) -> jax.Array:
    """step / steps in [0, 1]; one when there are no steps at all."""
    if steps <= 0:
        return jnp.ones_like(jnp.asarray(step), dtype=jnp.float32)
    return jnp.clip(jnp.asarray(step, jnp.float32) / steps, 0.0, 1.0)


def _remaining(step, steps) -> jax.Array:
    """1 - step / steps, without the cancellation."""
    if steps <= 0:
        return jnp.zeros_like(jnp.asarray(step), dtype=jnp.float32)
    return jnp.clip((steps - jnp.asarray(step, jnp.float32)) / steps, 0.0, 1.0)


def constant(value: float) -> Schedule:
    """The same value at every step.

    >>> float(constant(0.5)(10))
    0.5
    """
    return lambda step: jnp.full_like(jnp.asarray(step), value, dtype=jnp.float32)


def linear(start: float, end: float, steps: int) -> Schedule:
    """start + (end - start) step / steps, then end. I-JEPA's EMA momentum is ``linear(0.996, 1.0, total_steps)``.

    >>> float(linear(0.0, 1.0, 4)(1))
    0.25
    """
    return lambda step: start + (end - start) * _progress(step, steps)


def cosine(start: float, end: float, steps: int) -> Schedule:
    """end + (start - end) (1 + cos(pi step / steps)) / 2, then end.

    The EMA momentum of BYOL, DINO and MoCo v3 is ``cosine(0.996, 1.0, total_steps)``; the weight decay of DINO is
    ``cosine(0.04, 0.4, total_steps)``.

    Args:
      start: value at step 0.
      end: value at ``steps`` and after.
      steps: length of the half wave.

    Returns:
      A schedule.

    >>> round(float(cosine(1.0, 0.0, 4)(2)), 6)
    0.5
    """
    return lambda step: end + (start - end) * jnp.sin(0.5 * math.pi * _remaining(step, steps)) ** 2


def warmup_cosine(peak: float, warmup_steps: int, total_steps: int, init: float = 0.0, end: float = 0.0) -> Schedule:
    """Linear warm-up from ``init`` to ``peak``, then a cosine down to ``end`` at ``total_steps``.

    As in MAE, MoCo v3 and BYOL (and optax), the warm-up would reach the peak at step ``warmup_steps``, the first of the
    cosine. DINO, DINOv2 and SwAV reach it one step earlier and stay on it for two; I-JEPA counts its steps from one.

    Args:
      peak: highest value.
      warmup_steps: length of the warm-up; 0 starts on the peak.
      total_steps: length of the whole, with the warm-up.
      init: value at the first step of the warm-up.
      end: value at ``total_steps`` and after.

    Returns:
      A schedule.

    Raises:
      ValueError: the warm-up is longer than the whole.

    >>> schedule = warmup_cosine(1.0, 10, 110)
    >>> [round(float(schedule(s)), 6) for s in (0, 5, 10, 60, 110)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if warmup_steps > total_steps:
        raise ValueError(f"the warm-up takes {warmup_steps} of {total_steps} steps; shorten it")
    warmup, decay = linear(init, peak, warmup_steps), cosine(peak, end, total_steps - warmup_steps)

    def schedule(step):
        step = jnp.asarray(step)
        return jnp.where(step < warmup_steps, warmup(step), decay(step - warmup_steps))

    return schedule
