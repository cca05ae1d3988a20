"""Loss spikes: an update whose loss and gradient norm both stand far above the latest ones is not taken."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

__all__ = ["Recent", "is_spike", "note", "nothing_yet"]

WINDOW = 128
"""Updates that a new one is compared with."""
SIGMAS = 6.0
"""Standard deviations above their mean from which a value is a spike."""
REPEATS = 8
"""Spikes in a row that are not taken. After so many it is no spike but where training stands now."""


@flax.struct.dataclass
class Recent:
    """The latest updates that were taken; part of the state, so that a resumed run decides as an undisturbed one.

    Attributes:
      loss: (WINDOW,) float32; the update of number n is at n modulo WINDOW.
      grad_norm: (WINDOW,) float32, likewise.
      count: int32 scalar, updates noted so far.
      repeats: int32 scalar, spikes in a row up to now.
    """

    loss: Any
    grad_norm: Any
    count: Any
    repeats: Any


def nothing_yet() -> Recent:
    """The window of a run that begins."""
    zeros, zero = jnp.zeros(WINDOW, jnp.float32), jnp.zeros((), jnp.int32)
    return Recent(zeros, zeros, zero, zero)


def is_spike(recent: Recent, loss: jax.Array, grad_norm: jax.Array) -> jax.Array:
    """Whether both values are more than SIGMAS standard deviations above the mean of the window.

    Never before half of the window is filled.

    Args:
      recent: the window.
      loss: float32 scalar.
      grad_norm: float32 scalar.

    Returns:
      bool scalar; False for values that are not finite.

    >>> recent = nothing_yet()
    >>> for n in range(64):
    ...     recent = note(recent, 1.0 + 0.01 * (n % 2), 2.0 + 0.1 * (n % 3), taken=True, spike=False)
    >>> [bool(is_spike(recent, *values)) for values in ((1.01, 2.1), (9.0, 2.1), (9.0, 9.0))]
    [False, False, True]
    """
    held = jnp.minimum(recent.count, WINDOW)
    inside = jnp.arange(WINDOW) < held

    def far_above(value, window):
        return value > jnp.mean(window, where=inside) + SIGMAS * jnp.std(window, where=inside)

    both = far_above(loss, recent.loss) & far_above(grad_norm, recent.grad_norm)
    return both & jnp.isfinite(loss) & jnp.isfinite(grad_norm) & (held >= WINDOW // 2)


def note(recent: Recent, loss, grad_norm, *, taken, spike) -> Recent:
    """The window after an update.

    Args:
      recent: before it.
      loss: float32 scalar.
      grad_norm: float32 scalar.
      taken: whether the update was; what was not leaves the window as it is.
      spike: from ``is_spike``.
    """
    at = recent.count % WINDOW

    def put(window, value):
        return jnp.where(taken, window.at[at].set(value), window)

    return Recent(
        put(recent.loss, loss),
        put(recent.grad_norm, grad_norm),
        recent.count + jnp.where(taken, 1, 0),
        jnp.where(spike, recent.repeats + 1, 0),
    )
