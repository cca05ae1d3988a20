"""Frames moved along a flow, and the pixels that two flows agree on."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl.objectives import _checks


def warp(image: jax.Array, flow: jax.Array) -> tuple[jax.Array, jax.Array]:
    r"""What a flow points at, read between pixels: :math:`\hat I(p) = I(p + f(p))`, bilinear.

    With the flow from the first frame to the second, the second frame warped is the first, where nothing is covered. What lies
    beyond the edge is the nearest pixel of the edge. Gradients reach the image and the flow.

    Args:
      image: (B, H, W, C) any float dtype.
      flow: (B, H, W, 2) pixels to the right and down.

    Returns:
      (B, H, W, C) float32, and (B, H, W) float32, 1 where the flow points into the image and 0 elsewhere.

    Raises:
      ValueError: shapes disagree, or an array is empty.

    >>> image = jnp.arange(4.0).reshape(1, 1, 4, 1)
    >>> moved, inside = warp(image, jnp.full((1, 1, 4, 2), jnp.array([1.5, 0.0])))
    >>> moved.ravel().tolist(), inside.ravel().tolist()
    ([1.5, 2.5, 3.0, 3.0], [1.0, 1.0, 0.0, 0.0])

    Reference: Jaderberg et al., "Spatial Transformer Networks", 2015.
    """
    check_flow("warp", image=image, flow=flow)
    height, width = image.shape[1:3]
    image, flow = image.astype(jnp.float32), flow.astype(jnp.float32)
    x = jnp.arange(width, dtype=jnp.float32)[None, None, :] + flow[..., 0]
    y = jnp.arange(height, dtype=jnp.float32)[None, :, None] + flow[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    x, y = jnp.clip(x, 0, width - 1), jnp.clip(y, 0, height - 1)
    left, top = jnp.floor(lax.stop_gradient(x)), jnp.floor(lax.stop_gradient(y))
    right_part, lower_part = (x - left)[..., None], (y - top)[..., None]
    left, top = left.astype(jnp.int32), top.astype(jnp.int32)
    right, bottom = jnp.minimum(left + 1, width - 1), jnp.minimum(top + 1, height - 1)

    @jax.vmap
    def at(own, rows, columns):
        return own[rows, columns]

    upper = (1 - right_part) * at(image, top, left) + right_part * at(image, top, right)
    lower = (1 - right_part) * at(image, bottom, left) + right_part * at(image, bottom, right)
    return (1 - lower_part) * upper + lower_part * lower, inside.astype(jnp.float32)


def flow_visibility(forward: jax.Array, backward: jax.Array, *, share: float = 0.01, slack: float = 0.5) -> jax.Array:
    r"""The pixels of the first frame that the second one shows, too: where the way there and back leads to the start.

    .. math:: |f(p) + b(p + f(p))|^2 \le \mathtt{share} \left(|f(p)|^2 + |b(p + f(p))|^2\right) + \mathtt{slack}

    and the flow points into the frame. No gradient passes.

    Args:
      forward: (B, H, W, 2) flow from the first frame to the second, pixels to the right and down.
      backward: (B, H, W, 2) flow from the second to the first.
      share: of the squared lengths that may be missed.
      slack: squared pixels that may be missed beside.

    Returns:
      (B, H, W) float32, 1 or 0: ``weights`` for `photometric_loss`.

    Raises:
      ValueError: shapes disagree, or an array is empty.

    >>> right = jnp.broadcast_to(jnp.array([1.0, 0.0]), (1, 1, 3, 2))
    >>> flow_visibility(right, -right).ravel().tolist()
    [1.0, 1.0, 0.0]

    Reference: Sundaram et al., "Dense Point Trajectories by GPU-Accelerated Large Displacement Optical Flow", 2010.
    """
    check_flow("flow_visibility", forward=forward, backward=backward)
    forward, backward = lax.stop_gradient(forward.astype(jnp.float32)), lax.stop_gradient(backward)
    back, inside = warp(backward, forward)
    missed = jnp.sum((forward + back) ** 2, -1)
    allowed = share * (jnp.sum(forward**2, -1) + jnp.sum(back**2, -1)) + slack
    return jnp.where(missed <= allowed, inside, 0.0)


def check_flow(function: str, **arrays: jax.Array) -> None:
    """ValueError unless all are (B, H, W, ...) of the same batch and sides, and the last is a flow."""
    _checks.are_arrays(function, **arrays)
    (first, reference), *rest = arrays.items()
    _checks.rank(function, 4, "(batch, height, width, channels)", **{first: reference})
    for name, array in rest:
        if array.ndim != 4 or array.shape[:3] != reference.shape[:3]:
            raise ValueError(f"{function}: {first} has shape {reference.shape} but {name} has shape {array.shape}")
    name, flow = list(arrays.items())[-1]
    if flow.shape[-1] != 2:
        raise ValueError(
            f"{function}: {name} must be (batch, height, width, 2) beside {first} {reference.shape}, got shape {flow.shape}"
        )
