"""Lightness in, colour out, as a choice among quantised colours (Zhang et al. 2016, https://arxiv.org/abs/1603.08511)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jssl.views.images import _checks
from jssl.views.images.lab import rgb_to_lab, to_lab


@functools.cache
def ab_bins(*, grid_size: float = 10.0) -> np.ndarray:
    """Centres of the squares of the ab plane that hold an sRGB colour.

    Every colour has the ab of some colour on the surface of the RGB cube (go lighter until a side is reached), so the
    squares of all 8-bit colours on its six sides are counted. With ``grid_size=10`` these are 261; the paper counts 313.

    Args:
        grid_size: side of the squares; centres are its multiples.

    Returns:
        (Q, 2) float32 numpy array, a before b in rising order; read-only because it is cached.

    >>> ab_bins(grid_size=50.0).shape, ab_bins(grid_size=50.0)[0].tolist()
    ((19, 2), [-100.0, 50.0])
    """
    levels = np.arange(256) / 255.0
    side = np.stack(np.meshgrid(levels, levels), axis=-1).reshape(-1, 2)
    sides = [np.insert(side, axis, value, axis=1) for axis in range(3) for value in (0.0, 1.0)]
    ab = to_lab(np.concatenate(sides), np)[:, 1:]
    squares = np.rint(ab / grid_size)
    squares = np.unique(squares[:, 0] + 1j * squares[:, 1])  # complex numbers sort as pairs, much faster than rows do
    bins = (np.stack([squares.real, squares.imag], axis=1) * grid_size).astype(np.float32)
    bins.flags.writeable = False
    return bins


def soft_encode(ab: Array, bins: np.ndarray, *, neighbors: int = 5, sigma: float = 5.0) -> tuple[Array, Array]:
    r"""Spreads each colour over its nearest bins, ``w_q`` proportional to ``exp(-|ab - ab_q|^2 / 2 sigma^2)``.

    Args:
        ab: (..., 2) float32.
        bins: (Q, 2), see `ab_bins`.
        neighbors: K, how many bins, at most Q.
        sigma: width of the Gaussian in units of ab.

    Returns:
        (..., K) int32 bins, the nearest first, and (..., K) float32 weights that sum to one.

    >>> indices, weights = soft_encode(jnp.array([20.0, 30.0]), ab_bins())
    >>> ab_bins()[indices[0]].tolist(), round(float(weights[0]), 3)
    ([20.0, 30.0], 0.649)
    """
    shape = (1,) * (ab.ndim - 1) + (len(bins),)
    offsets = (ab[..., i : i + 1] - jnp.asarray(bins[:, i], jnp.float32).reshape(shape) for i in range(2))
    distance = sum(jnp.square(offset) for offset in offsets)
    negative, indices = jax.lax.top_k(-distance, neighbors)
    return indices.astype(jnp.int32), jax.nn.softmax(negative / (2.0 * sigma**2), axis=-1)


def soft_targets(indices: Array, weights: Array, num_bins: int) -> Array:
    """The dense form of `soft_encode`: probabilities for a cross entropy.

    Args:
        indices: (..., K) int32.
        weights: (..., K) float32.
        num_bins: Q.

    Returns:
        (..., Q) float32.

    >>> soft_targets(jnp.array([2, 0]), jnp.array([0.75, 0.25]), 4).tolist()
    [0.25, 0.0, 0.75, 0.0]
    """
    return jnp.sum(jax.nn.one_hot(indices, num_bins, dtype=jnp.float32) * weights[..., None], axis=-2)


def colorization(
    key: Array | None, image: Array, *, bins: np.ndarray, stride: int, neighbors: int = 5, sigma: float = 5.0
) -> dict[str, Array]:
    """Splits an image into its lightness and its quantised colours. Nothing is drawn: crop and flip before.

    The target is compact: ``soft_targets(target, weight, len(bins))`` gives probabilities to a cross entropy, and
    ``target[..., 0]`` is the likeliest bin, by which the paper weights a place (`rebalancing_weights`).

    Args:
        key: not used, as nothing is random; every view takes one.
        image: (H, W, 3) uint8 or float in [0, 1].
        bins: (Q, 2), see `ab_bins`.
        stride: colours are averaged over squares of this side, which must divide H and W.
        neighbors: K, over how many bins a colour is spread.
        sigma: how widely, in units of ab.

    Returns:
        "lightness": (H, W, 1) float32 in [-1, 1]; "target": (H/stride, W/stride, K) int32; "weight": the same shape,
        float32, summing to one over K.

    Raises:
        ValueError: if ``stride`` does not divide the sides, or the image has no colours.

    Reference: Zhang et al. 2016, https://arxiv.org/abs/1603.08511: ``grid_size=10``, ``neighbors=5``, ``sigma=5``, 64 x
    64 targets for 256 x 256 images. Lightness is centred there too, in other units.

    >>> view = jax.eval_shape(lambda image: colorization(None, image, bins=ab_bins(), stride=4), jnp.ones((8, 8, 3)))
    >>> view["lightness"].shape, view["target"].shape
    ((8, 8, 1), (2, 2, 5))
    """
    del key
    height, width, _ = _checks.picture(image)
    if stride < 1 or height % stride or width % stride:
        raise ValueError(f"stride={stride} does not divide a {height} x {width} image")
    lab = rgb_to_lab(image)
    ab = lab[..., 1:].reshape(height // stride, stride, width // stride, stride, 2).mean(axis=(1, 3))
    target, weight = soft_encode(ab, bins, neighbors=neighbors, sigma=sigma)
    return {"lightness": lab[..., :1] / 50.0 - 1.0, "target": target, "weight": weight}


def ab_prior(images: Array, *, bins: np.ndarray, stride: int, neighbors: int = 5, sigma: float = 5.0) -> Array:
    """How often each bin is the target: the mean of the soft targets of `colorization`, which is smooth by itself.

    Args:
        images: (N, H, W, 3) uint8 or float in [0, 1].
        bins: (Q, 2), see `ab_bins`.
        stride: as in `colorization`, as are ``neighbors`` and ``sigma``.
        neighbors: K.
        sigma: width of the Gaussian.

    Returns:
        (Q,) float32 probabilities.

    Reference: Zhang et al. 2016 smooth the histogram of ImageNet by the same Gaussian.

    >>> bins = np.array([[0.0, 0.0], [80.0, 70.0]])
    >>> ab_prior(jnp.ones((1, 8, 8, 3)), bins=bins, stride=4, neighbors=1).tolist()
    [1.0, 0.0]
    """

    def histogram(image: Array) -> Array:
        view = colorization(None, image, bins=bins, stride=stride, neighbors=neighbors, sigma=sigma)
        places = view["weight"].shape[0] * view["weight"].shape[1]
        return jnp.zeros(len(bins), jnp.float32).at[view["target"]].add(view["weight"] / places)

    return jnp.mean(jax.lax.map(histogram, images), axis=0)


def rebalancing_weights(prior: Array | np.ndarray, *, lam: float = 0.5) -> Array:
    r"""Weights of the bins that let rare colours count: otherwise everything comes out as the grey that most pixels are.

    .. math:: w_q \propto \left((1 - \lambda) p_q + \lambda / Q\right)^{-1}, \quad \sum_q p_q w_q = 1

    Args:
        prior: (Q,) probabilities, from `ab_prior`; a uniform one gives weights of one and needs no data.
        lam: share of the uniform distribution in the mixture, in (0, 1]; 1 turns rebalancing off.

    Returns:
        (Q,) float32.

    Raises:
        ValueError: if ``lam`` is outside (0, 1].

    Reference: Zhang et al. 2016, https://arxiv.org/abs/1603.08511, with ``lam=0.5``.

    >>> [round(float(weight), 2) for weight in rebalancing_weights(jnp.array([0.75, 0.25]))]
    [0.86, 1.43]
    """
    if not 0.0 < lam <= 1.0:
        raise ValueError(f"lam={lam} is outside (0, 1]")
    prior = jnp.asarray(prior, jnp.float32)
    weights = 1.0 / ((1.0 - lam) * prior + lam / len(prior))
    return weights / jnp.sum(prior * weights)
