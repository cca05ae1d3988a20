"""Two neighbouring patches of an image: on which of eight sides of the first does the second lie?"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jssl.views.images import _checks, geometric, photometric
from jssl.views.images.chromatic import color_dropping, color_projection

_GUARDS = {"projection": lambda key, patch: color_projection(patch), "dropping": color_dropping}


def relative_position(
    key: Array, image: Array, *, patch: int, gap: int, jitter: int, color: str = "projection"
) -> dict[str, Array]:
    """Cuts a centre patch and one of its eight neighbours, without what would give the answer away.

    What a network could use instead of the content, and what is done about it:

    - lines and edges that run on from patch to patch: there is a gap, its width random within ``gap ± jitter``, and the
      neighbour is also shifted sideways by up to ``jitter``, so patches never touch and lines do not meet;
    - the place of the centre patch: it is always one where all eight neighbours fit, so it says nothing of the label;
    - chromatic aberration: each patch goes through ``color_projection`` or ``color_dropping``;
    - brightness and contrast that change slowly over the image: each patch has mean zero per channel and standard
      deviation one over all its values (less where it is flatter than one grey level of 255).

    Args:
        key: PRNG key.
        image: (H, W, 3) uint8 or float in [0, 1]; the sides must be at least ``3 patch + 2 gap + 2 jitter``.
        patch: side p of the patches.
        gap: mean width of the gap between them, above ``jitter``.
        jitter: how far the neighbour moves along both axes, uniform in ``[-jitter, jitter]``.
        color: "projection" or "dropping".

    Returns:
        "center" and "neighbor": (p, p, 3) float32; "label": int32 in 0..7, the sides in raster order from the upper
        left to the lower right.

    Raises:
        ValueError: if the image has no colours or is too small, ``jitter`` is not in ``[0, gap)`` or ``color`` is unknown.

    Reference: Doersch et al. 2015, https://arxiv.org/abs/1505.05192, with patches of 96 and gaps of 48. The paper
    jitters both patches by up to 7 pixels; as the place of the pair is random here, only the difference counts, which
    is ``jitter=14`` with more weight on small values. It also blurs some patches by resampling, which this does not.

    >>> make = jax.jit(lambda key, image: relative_position(key, image, patch=8, gap=2, jitter=1))
    >>> pair = make(jax.random.key(0), jnp.ones((32, 32, 3)))
    >>> pair["center"].shape, pair["neighbor"].shape, 0 <= int(pair["label"]) < 8
    ((8, 8, 3), (8, 8, 3), True)
    """
    height, width, _ = _checks.picture(image)
    _checks.colors(image, "relative_position")
    if color not in _GUARDS:
        raise ValueError(f"color={color!r}; use 'projection' or 'dropping'")
    if not 0 <= jitter < gap:
        raise ValueError(f"jitter={jitter} with gap={gap}: patches could touch; keep jitter in [0, gap)")
    reach = patch + gap + jitter  # a neighbour ends at most this far from the centre patch
    room = np.array([height, width], np.float32) - (patch + 2 * reach)
    if room.min() < 0:
        raise ValueError(
            f"a {height} x {width} image is too small for patch={patch}, gap={gap}, jitter={jitter}: "
            f"sides must be at least {patch + 2 * reach}"
        )
    draw_key, *color_keys = jax.random.split(key, 3)
    draws = jax.random.uniform(draw_key, (5,))
    label = (draws[0] * 8).astype(jnp.int32)
    cell = jnp.where(label < 4, label, label + 1)  # of 3 x 3 in raster order, without the one in the middle
    direction = jnp.stack([cell // 3, cell % 3]) - 1
    center = reach + (draws[1:3] * (room + 1)).astype(jnp.int32)
    shift = (draws[3:] * (2 * jitter + 1)).astype(jnp.int32) - jitter
    neighbor = center + direction * (patch + gap) + shift

    pixels = photometric.to_float(image)

    def cut(color_key: Array, corner: Array) -> Array:
        # At its own size a resized crop copies pixels.
        piece = geometric.resize_crop(pixels, (corner[0], corner[1], patch, patch), size=patch)
        piece = _GUARDS[color](color_key, piece)
        piece = piece - jnp.mean(piece, axis=(0, 1), keepdims=True)
        return piece / jnp.maximum(jnp.sqrt(jnp.mean(jnp.square(piece))), 1.0 / 255.0)

    patches = jax.vmap(cut)(jnp.stack(color_keys), jnp.stack([center, neighbor]))
    return {"center": patches[0], "neighbor": patches[1], "label": label}
