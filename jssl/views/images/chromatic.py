"""Two guards against chromatic aberration, by which a patch tells where in the photograph it lies.

A lens bends green less than red and blue, so the channels of a photograph are displaced towards or away from its
centre; a network that reads the displacement need not look at the content. Both guards are from Doersch et al. 2015,
https://arxiv.org/abs/1505.05192.
"""

import jax
import jax.numpy as jnp
from jax import Array

from jssl.views.images import _checks


def color_projection(image: Array) -> Array:
    r"""Shifts green and magenta towards grey: every pixel is multiplied by ``B = I - a^T a / (a a^T)``, a = (-1, 2, -1).

    Green becomes the mean of red and blue, so how far it is displaced from them can no longer be seen.

    Args:
        image: (..., 3) float32.

    Returns:
        The same shape, float32, orthogonal to a; pixels of [0, 1] stay in [-1/3, 4/3].

    >>> color_projection(jnp.array([0.0, 1.0, 0.0])).round(3).tolist()
    [0.3330000042915344, 0.3330000042915344, 0.3330000042915344]
    """
    _checks.colors(image, "color_projection")
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    along = (2.0 * green - red - blue) / 6.0
    return jnp.stack([red + along, green - 2.0 * along, blue + along], axis=-1)


def color_dropping(key: Array, image: Array, *, noise: float = 0.01) -> Array:
    """Keeps one random channel and replaces the other two by Gaussian noise: nothing is left to be displaced.

    Args:
        key: PRNG key.
        image: (H, W, 3) float32.
        noise: standard deviation of the noise as a part of that of the kept channel.

    Returns:
        (H, W, 3) float32; the dropped channels have mean zero, so subtract the means next.

    >>> out = color_dropping(jax.random.key(0), jnp.ones((2, 2, 3)))
    >>> sorted(out.mean(axis=(0, 1)).tolist())
    [0.0, 0.0, 1.0]
    """
    _checks.picture(image)
    _checks.colors(image, "color_dropping")
    # One draw for everything: the largest of the first three numbers says which channel is kept.
    draws = jax.random.normal(key, (1 + image.shape[0] * image.shape[1], 3))
    kept = (jnp.arange(3) == jnp.argmax(draws[0])).reshape(1, 1, 3)
    deviation = jnp.sum(jnp.where(kept, jnp.std(image, axis=(0, 1), keepdims=True), 0.0))
    return jnp.where(kept, image, noise * deviation * draws[1:].reshape(image.shape))
