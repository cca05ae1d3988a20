"""VideoMAE: reconstruct the pixels of a clip from one patch of ten, the same ones in every frame."""

import functools

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders
from jssl.methods.masked.autoencoder import masked_autoencoder
from jssl.methods.method import Method
from jssl.methods.options import Given, Transformer, VideoInput
from jssl.methods.registry import register
from jssl.methods.video.clip_masks import VIT, tubelets
from jssl.models import MAEDecoder


@register(
    "videomae",
    paper="Tong et al., VideoMAE: Masked Autoencoders are Data-Efficient Learners for Video Pre-Training, arXiv:2203.12602",
    asks=("video", "patches"),
    reads=("video",),
    golden="mae",
)
def build(
    given: Given,
    *,
    video: VideoInput = VideoInput(),
    encoder: object = {**VIT, "name": "vit_base"},
    decoder: Transformer = Transformer(width=384, depth=4, heads=6),
    mask_ratio: float = 0.9,
    normalize_targets: bool = True,
) -> Method:
    """Builds VideoMAE.

    Args:
      given: the data and the compute dtype.
      video: how clips enter; ``augment`` changes ``views.mae``.
      encoder: see ``encoders.make``; with tubelets, in the paper without class token and with mean pooling.
      decoder: its size.
      mask_ratio: share of the patches of a frame removed.
      normalize_targets: normalise each colour of each target tubelet by its own mean and deviation.

    The authors' positions run over all tubelets in a row, here along time, rows and columns; and they add 1e-6 to the deviation,
    here to the variance, as MAE does.
    """
    vit, grid = tubelets("videomae", given, video, encoder)
    frames, places = vit.tubelet or 1, grid[1] * grid[2]
    keep = places - int(places * mask_ratio)
    view = video.view(given, views.mae)

    def make_views(key, example):
        video_key, mask_key = jax.random.split(key)
        visible, _, restore, mask = views.tube_mask(mask_key, grid, keep)
        return {"video": view(video_key, example), "visible": visible, "restore": restore, "mask": mask}

    channels = given.spec["video"].shape[-1]
    return masked_autoencoder(
        "videomae",
        fields=frozenset({"video"}),
        field="video",
        views=make_views,
        encoder=vit,
        decoder=MAEDecoder(
            width=decoder.width,
            depth=decoder.depth,
            heads=decoder.heads,
            patch_size=vit.patch_size,
            tubelet=frames,
            channels=channels,
            grid=grid,
            dtype=given.dtype,
        ),
        patchify=functools.partial(objectives.patchify, patch_size=(frames, vit.patch_size, vit.patch_size)),
        picture=lambda patches: _clip(patches, grid, (frames, vit.patch_size, vit.patch_size)),
        normalize_targets=normalize_targets,
        channels=channels,
        readouts=lambda nets: encoders.readouts(nets, video.prepare(given), field="video"),
        caption="the clip, the patches that the encoder sees, and these with the reconstruction of the others",
    )


def _clip(patches: jax.Array, grid: tuple[int, int, int], patch: tuple[int, int, int]) -> jax.Array:
    """(B, N, t * p * p * C) -> (B, T, H, W, C): what ``objectives.patchify`` has taken apart."""
    x = patches.reshape(len(patches), *grid, *patch, -1).transpose(0, 1, 4, 2, 5, 3, 6, 7)
    return jnp.reshape(x, (len(x), *(n * size for n, size in zip(grid, patch)), -1))
