"""data2vec: regress the average of the teacher's last layers at the masked positions."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives.latent._smooth_l1 import smooth_l1

_AXES = {"instance": -2, "layer": -1}


def data2vec_targets(
    layers: jax.Array, *, normalize_layers: str | None, normalize_targets: str | None = None, epsilon: float = 1e-5
) -> jax.Array:
    r"""The mean of the outputs of several teacher blocks, each standardised first.

    .. math:: t = g\Bigl(\frac1L \sum_l f(h_l)\Bigr)

    where f and g are "instance" norm (each channel over the tokens of its example), "layer" norm (each token over
    its channels), or None for the identity; both without scale and shift. The authors take "instance" for speech and
    "layer" for images and text.

    Args:
      layers: (L, B, N, D) outputs of the last L blocks of the teacher, any float dtype; they get no gradient. All N
        tokens take part in an instance norm, so they must not be padding.
      normalize_layers: f, for every block.
      normalize_targets: g, for the mean over blocks.
      epsilon: added to the (biased) variance.

    Returns:
      (B, N, D) float32 targets of `data2vec_loss`.

    Raises:
      ValueError: layers are not (L, B, N, D) or are empty, or the name of a norm is unknown.

    >>> layers = jnp.array([[[[1.0, 3.0]]], [[[10.0, 20.0]]]])
    >>> data2vec_targets(layers, normalize_layers="layer").round(3).tolist()
    [[[-1.0, 1.0]]]

    Reference: Baevski et al., "data2vec: A General Framework for Self-supervised Learning in Speech, Vision and
    Language", 2022 (arXiv:2202.03555). The authors' code selects the masked tokens, which `data2vec_loss` does here.
    """
    _checks.rank("data2vec_targets", 4, "(layers, batch, tokens, features)", layers=layers)
    for name, norm in (("normalize_layers", normalize_layers), ("normalize_targets", normalize_targets)):
        if norm is not None and norm not in _AXES:
            raise ValueError(f"data2vec_targets: {name} must be 'instance', 'layer' or None, got {norm!r}")

    def standardize(x, norm):
        if norm is None:
            return x
        x = x - jnp.mean(x, axis=_AXES[norm], keepdims=True)
        return x * lax.rsqrt(jnp.mean(jnp.square(x), axis=_AXES[norm], keepdims=True) + epsilon)

    layers = lax.stop_gradient(layers).astype(jnp.float32)
    return standardize(jnp.mean(standardize(layers, normalize_layers), axis=0), normalize_targets)


def data2vec_loss(
    prediction: jax.Array, target: jax.Array, mask: jax.Array, *, beta: float | None, axis_name: AxisName = None
) -> jax.Array:
    r"""Smooth L1 distance to the teacher's features, averaged over the masked tokens.

    .. math:: \frac{\sum_{bn} m_{bn} \frac1D \sum_d \ell_\beta(p_{bnd} - t_{bnd})}{\sum_{bn} m_{bn}},
              \quad \ell_\beta(x) = \begin{cases} x^2 / 2\beta & |x| < \beta \\ |x| - \beta / 2 & \text{else}\end{cases}

    Targets get no gradient. When all examples have the same number of masked tokens the loss is a mean over examples,
    and accumulation over micro-batches is exact.

    Args:
      prediction: (B, N, D) any float dtype.
      target: (B, N, D) as made by `data2vec_targets`.
      mask: (B, N) 1 or true where the token was masked, of any dtype.
      beta: where the square turns into the absolute value: 2 for images, 4 for text in the paper. None is the square
        everywhere, without the factor one half (speech); the authors' code writes 0 for it.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the masked tokens of the global batch and channels; 0 when none is masked.

    Raises:
      ValueError: shapes disagree, an array is empty, or beta is not above 0.

    >>> prediction, target = jnp.zeros((1, 2, 3)), jnp.full((1, 2, 3), 3.0)
    >>> float(data2vec_loss(prediction, target, jnp.array([[1, 0]]), beta=2.0))
    2.0
    >>> float(data2vec_loss(prediction, target, jnp.array([[1, 0]]), beta=None))
    9.0

    Reference: Baevski et al., "data2vec: A General Framework for Self-supervised Learning in Speech, Vision and
    Language", 2022 (arXiv:2202.03555). The authors' code for speech sums over masked tokens and channels and multiplies
    by ``1 / sqrt(D)`` or a scale: it returns ``M * sqrt(D)``, or ``M * D * scale``, times this value, with M the number
    of masked tokens.
    """
    _checks.rank("data2vec_loss", 3, "(batch, tokens, features)", prediction=prediction, target=target)
    _checks.same_shape("data2vec_loss", prediction=prediction, target=target)
    if mask.shape != target.shape[:2]:
        raise ValueError(f"data2vec_loss: mask (B, N) has shape {mask.shape} but target has shape {target.shape}")
    if beta is not None:
        _checks.positive("data2vec_loss", beta=beta)
    distance = prediction.astype(jnp.float32) - lax.stop_gradient(target).astype(jnp.float32)
    losses = jnp.mean(jnp.square(distance) if beta is None else smooth_l1(distance, beta), axis=-1)
    mask = mask.astype(jnp.float32)
    # Sums are reduced apart because devices may hold different numbers of masked tokens.
    total = collectives.sum(jnp.sum(losses * mask), axis_name)
    count = collectives.sum(jnp.sum(mask), axis_name)
    return total / jnp.where(count > 0, count, 1.0)
