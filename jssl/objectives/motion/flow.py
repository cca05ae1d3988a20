"""What is asked of a flow between two frames that nobody has labelled."""

import jax
import jax.numpy as jnp

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.motion.warp import check_flow, warp

_C1, _C2 = 0.01**2, 0.03**2  # of SSIM, for pixels in [0, 1]


@any_mesh
def photometric_loss(
    first: jax.Array,
    second: jax.Array,
    flow: jax.Array,
    *,
    weights: jax.Array | None = None,
    ssim_weight: float = 0.85,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""How far the second frame, warped along the flow, is from the first: structural dissimilarity and absolute difference.

    .. math:: \frac1B \sum_b \Big( (1 - \alpha) \frac{\sum_p w_p |I_1 - \hat I_2|_p}{\sum_p w_p}
              + \alpha \frac{\sum_q w_q (1 - \mathrm{SSIM}(I_1, \hat I_2)_q) / 2}{\sum_q w_q} \Big)

    with :math:`\hat I_2(p) = I_2(p + f(p))`, SSIM over windows q of 3 x 3 pixels that lie in the frame, and the weight of a
    window the mean of its pixels'. The loss is a mean over examples, so accumulation over micro-batches is exact.

    Args:
      first: (B, H, W, C) any float dtype, in [0, 1]; H and W at least 3.
      second: (B, H, W, C).
      flow: (B, H, W, 2) from the first frame to the second, pixels to the right and down.
      weights: (B, H, W) weight of each pixel of the first frame, `flow_visibility` say; None counts those whose flow points
        into the frame. An example whose weights are all zero adds 0 and still counts as an example.
      ssim_weight: alpha, in [0, 1]; 0 leaves the structural part out.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, frames are too small, or alpha is out of range.

    >>> first = jnp.linspace(0.0, 1.0, 16).reshape(1, 4, 4, 1)
    >>> float(photometric_loss(first, first, jnp.zeros((1, 4, 4, 2))))
    0.0

    Reference: Godard et al., "Unsupervised Monocular Depth Estimation with Left-Right Consistency", 2017, whose mixture and
    windows these are; Jonschkowski et al., "What Matters in Unsupervised Optical Flow", 2020; Bardes et al., "MC-JEPA", 2023,
    which adds squares to the mixture and has no public code.
    """
    _checks.same_shape("photometric_loss", first=first, second=second)
    check_flow("photometric_loss", first=first, flow=flow)
    if min(first.shape[1:3]) < 3:
        raise ValueError(f"photometric_loss: windows of 3x3 need frames of at least that, got shape {first.shape}")
    if not 0 <= ssim_weight <= 1:
        raise ValueError(f"photometric_loss: ssim_weight must be in [0, 1], got {ssim_weight}")
    if weights is not None and weights.shape != first.shape[:3]:
        raise ValueError(f"photometric_loss: weights have shape {weights.shape} but first has shape {first.shape}")
    first = first.astype(jnp.float32)
    warped, inside = warp(second, flow)
    weights = inside if weights is None else weights.astype(jnp.float32)
    examples = (1 - ssim_weight) * _weighted(jnp.mean(jnp.abs(first - warped), -1), weights)
    if ssim_weight:
        unlike = jnp.mean((1 - _ssim(first, warped)) / 2, -1)
        examples = examples + ssim_weight * _weighted(unlike, _windows(weights[..., None])[..., 0])
    return collectives.mean(jnp.mean(examples), axis_name)


@any_mesh
def flow_smoothness_loss(
    flow: jax.Array, image: jax.Array, *, edge: float = 150.0, axis_name: AxisName = None
) -> jax.Array:
    r"""How much the flow changes from pixel to pixel, where the frame does not.

    .. math:: \frac1{B} \sum_b \frac12 \sum_{d \in \{x, y\}} \frac1{|P_d|} \sum_{p \in P_d} e^{-\lambda |\partial_d I(p)|}
              \frac12 |\partial_d f(p)|_1

    with differences of neighbours, and the mean over channels in :math:`|\partial_d I|`. No gradient reaches the frame, which
    would otherwise learn to be all edges where features take its place. A mean over examples.

    Args:
      flow: (B, H, W, 2) pixels to the right and down; H and W at least 2.
      image: (B, H, W, C) the frame that the flow starts from, in [0, 1].
      edge: lambda; 0 asks for the same everywhere.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, frames are too small, or lambda is negative.

    >>> ramp = jnp.stack([jnp.tile(jnp.arange(4.0), (4, 1)), jnp.zeros((4, 4))], -1)[None]
    >>> float(flow_smoothness_loss(ramp, jnp.zeros((1, 4, 4, 3))))
    0.25

    Reference: Jonschkowski et al., "What Matters in Unsupervised Optical Flow", 2020 (its first-order term; there a robust
    penalty takes the place of the absolute value); Bardes et al., "MC-JEPA", 2023.
    """
    check_flow("flow_smoothness_loss", image=image, flow=flow)
    if min(flow.shape[1:3]) < 2:
        raise ValueError(f"flow_smoothness_loss: neighbours need frames of 2x2 or more, got shape {flow.shape}")
    if edge < 0:
        raise ValueError(f"flow_smoothness_loss: edge must not be negative, got {edge}")
    flow, image = flow.astype(jnp.float32), jax.lax.stop_gradient(image).astype(jnp.float32)
    value = jnp.float32(0)
    for axis in (1, 2):
        changes = jnp.mean(jnp.abs(jnp.diff(flow, axis=axis)), -1)
        edges = jnp.mean(jnp.abs(jnp.diff(image, axis=axis)), -1)
        value = value + jnp.mean(jnp.exp(-edge * edges) * changes) / 2
    return collectives.mean(value, axis_name)


@any_mesh
def flow_consistency_loss(
    forward: jax.Array, backward: jax.Array, *, weights: jax.Array | None = None, axis_name: AxisName = None
) -> jax.Array:
    r"""How far from its start the way to the other frame and back ends.

    .. math:: \frac1B \sum_b \frac{\sum_p w_p \frac12 |f(p) + b(p + f(p))|_1}{\sum_p w_p}

    A mean over examples. It is of the forward way alone: add the loss of the two flows exchanged.

    Args:
      forward: (B, H, W, 2) flow from the first frame to the second, pixels to the right and down.
      backward: (B, H, W, 2) flow from the second to the first.
      weights: (B, H, W) weight of each pixel of the first frame, `flow_visibility` say; None counts those whose flow points
        into the frame. An example whose weights are all zero adds 0 and still counts as an example.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the global batch, in pixels.

    Raises:
      ValueError: shapes disagree, or an array is empty.

    >>> right = jnp.broadcast_to(jnp.array([1.0, 0.0]), (1, 2, 3, 2))
    >>> float(flow_consistency_loss(right, -right)), float(flow_consistency_loss(right, right))
    (0.0, 1.0)

    Reference: Meister et al., "UnFlow", 2018, where a robust penalty takes the place of the absolute value; Bardes et al.,
    "MC-JEPA", 2023.
    """
    check_flow("flow_consistency_loss", forward=forward, backward=backward)
    _checks.same_shape("flow_consistency_loss", forward=forward, backward=backward)
    if weights is not None and weights.shape != forward.shape[:3]:
        raise ValueError(
            f"flow_consistency_loss: weights have shape {weights.shape} but forward has shape {forward.shape}"
        )
    back, inside = warp(backward, forward)
    missed = jnp.mean(jnp.abs(forward.astype(jnp.float32) + back), -1)
    examples = _weighted(missed, inside if weights is None else weights.astype(jnp.float32))
    return collectives.mean(jnp.mean(examples), axis_name)


def _weighted(values: jax.Array, weights: jax.Array) -> jax.Array:
    """(B,) means of (B, H, W); 0 where nothing counts."""
    total = jnp.sum(weights, (1, 2))
    return jnp.sum(values * weights, (1, 2)) / jnp.where(total > 0, total, 1.0)


def _windows(x: jax.Array) -> jax.Array:
    """Means over 3 x 3 pixels: (B, H, W, C) -> (B, H - 2, W - 2, C)."""
    x = (x[:, :-2] + x[:, 1:-1] + x[:, 2:]) / 3
    return (x[:, :, :-2] + x[:, :, 1:-1] + x[:, :, 2:]) / 3


def _ssim(x: jax.Array, y: jax.Array) -> jax.Array:
    """Structural similarity (Wang et al. 2004) of each channel in each window, with plain means."""
    mean_x, mean_y = _windows(x), _windows(y)
    variance_x, variance_y = _windows(x * x) - mean_x**2, _windows(y * y) - mean_y**2
    covariance = _windows(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return luminance * (2 * covariance + _C2) / (variance_x + variance_y + _C2)
