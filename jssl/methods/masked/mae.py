"""MAE: reconstruct the pixels of masked patches from the visible quarter."""

import functools

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders
from jssl.methods.masked.autoencoder import masked_autoencoder
from jssl.methods.method import Method
from jssl.methods.options import Given, ImageInput, Transformer
from jssl.methods.registry import register
from jssl.models import MAEDecoder

_VIT = {"name": "vit_base", "positions": "sincos"}


@register(
    "mae",
    paper="He et al., Masked Autoencoders Are Scalable Vision Learners, arXiv:2111.06377",
    asks=("patches",),
    golden="mae",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _VIT,
    decoder: Transformer = Transformer(width=512, depth=8, heads=16),
    mask_ratio: float = 0.75,
    normalize_targets: bool = True,
) -> Method:
    """Builds MAE.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.mae``.
      encoder: see ``encoders.make``; with patches, in the paper with a class token and sin-cos positions.
      decoder: its size.
      mask_ratio: share of the patches removed.
      normalize_targets: normalise each target patch by its own mean and deviation.
    """
    vit = encoders.make_patches("mae", encoder, image_size=image.size, dtype=given.dtype)
    patch, grid = vit.patch_size, image.size // vit.patch_size
    keep = int(grid**2 * (1 - mask_ratio))
    view = image.view(given, views.mae)

    def make_views(key, example):
        image_key, mask_key = jax.random.split(key)
        visible, _, restore, mask = views.random_mask(mask_key, grid**2, keep)
        return {"image": view(image_key, example), "visible": visible, "restore": restore, "mask": mask}

    return masked_autoencoder(
        "mae",
        fields=frozenset({"image"}),
        field="image",
        views=make_views,
        encoder=vit,
        decoder=MAEDecoder(
            width=decoder.width,
            depth=decoder.depth,
            heads=decoder.heads,
            patch_size=patch,
            grid=grid,
            dtype=given.dtype,
        ),
        patchify=functools.partial(objectives.patchify, patch_size=patch),
        picture=lambda patches: unpatchify(patches, (grid, grid), patch),
        normalize_targets=normalize_targets,
        readouts=lambda nets: encoders.readouts(nets, image.prepare(given)),
        caption="the picture, the patches that the encoder sees, and these with the reconstruction of the others",
    )


def unpatchify(patches: jax.Array, grid: tuple[int, int], patch: int) -> jax.Array:
    """(B, N, p * p * C) -> (B, H, W, C): what ``objectives.patchify`` has taken apart."""
    pieces = patches.reshape(len(patches), *grid, patch, patch, -1)
    return jnp.swapaxes(pieces, 2, 3).reshape(len(patches), grid[0] * patch, grid[1] * patch, -1)
