"""Audio-MAE: reconstruct the masked patches of a log-mel spectrogram from the visible fifth."""

import functools

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders
from jssl.methods.audio_input import AudioInput, SpectrogramInput
from jssl.methods.audio_readout import spectrogram_readouts
from jssl.methods.masked.autoencoder import masked_autoencoder
from jssl.methods.masked.mae import unpatchify
from jssl.methods.method import Method
from jssl.methods.options import Given, Transformer
from jssl.methods.registry import register
from jssl.models import MAEDecoder

_VIT = {"name": "vit_base", "positions": "sincos", "class_token": False, "pool": "mean"}


@register(
    "audio_mae",
    paper="Huang et al., Masked Autoencoders that Listen, arXiv:2207.06405",
    asks=("audio", "patches"),
    reads=("audio", "length"),
    golden="mae",
)
def build(
    given: Given,
    *,
    audio: AudioInput = AudioInput(),
    spectrogram: SpectrogramInput = SpectrogramInput(),
    encoder: object = _VIT,
    decoder: Transformer = Transformer(width=512, depth=8, heads=16),
    mask_ratio: float = 0.8,
    bands: tuple[float, float] | None = None,
    normalize_targets: bool = True,
) -> Method:
    """Builds Audio-MAE.

    The decoder attends to all places, where the paper's best one attends within shifted windows; the encoder has no class
    token, which the authors train along and do not read. Padding is reconstructed as silence is, as in their code.

    Args:
      given: the data and the compute dtype.
      audio: how waves enter.
      spectrogram: how spectrograms are made of them.
      encoder: see ``encoders.make``; with patches, in the paper with sin-cos positions.
      decoder: its size.
      mask_ratio: share of the patches removed, drawn one by one.
      bands: shares of the rows (time) and columns (frequency) of patches that are removed whole, in place of single ones;
        the paper tries (0.7, 0.3).
      normalize_targets: normalise each target patch by its own mean and deviation.

    Raises:
      ValueError: patches do not tile the spectrogram, or nothing of it stays.
    """
    size = spectrogram.shape(given, audio)
    vit = encoders.make_patches("audio_mae", encoder, image_size=size, dtype=given.dtype)
    grid = patch_grid("audio_mae", size, vit.patch_size)
    keep = int(grid[0] * grid[1] * (1 - mask_ratio))
    kept = tuple(round(side * (1 - share)) for side, share in zip(grid, bands)) if bands else (keep, 1)
    if min(kept) < 1:
        raise ValueError(
            f"audio_mae: nothing of {grid[0]}x{grid[1]} patches stays; lower method.{'bands' if bands else 'mask_ratio'}"
        )
    view = spectrogram.view(given, audio)

    def make_views(key, example):
        view_key, mask_key = jax.random.split(key)
        if bands:
            visible, _, restore, mask = views.time_frequency_mask(mask_key, grid, (kept[0], kept[1]))
        else:
            visible, _, restore, mask = views.random_mask(mask_key, grid[0] * grid[1], keep)
        image = view(view_key, example).image
        return {"spectrogram": image, "visible": visible, "restore": restore, "mask": mask}

    def picture(patches):
        """Time to the right and frequency upwards."""
        return jnp.swapaxes(unpatchify(patches, grid, vit.patch_size)[..., 0], 1, 2)[:, ::-1]

    return masked_autoencoder(
        "audio_mae",
        fields=frozenset({"audio", "length"}),
        field="spectrogram",
        views=make_views,
        encoder=vit,
        decoder=MAEDecoder(
            width=decoder.width,
            depth=decoder.depth,
            heads=decoder.heads,
            patch_size=vit.patch_size,
            grid=grid,
            channels=1,
            dtype=given.dtype,
        ),
        patchify=functools.partial(objectives.patchify, patch_size=vit.patch_size),
        picture=picture,
        normalize_targets=normalize_targets,
        readouts=lambda nets: spectrogram_readouts(nets, spectrogram.prepare(given, audio), patch_size=vit.patch_size),
        caption="the spectrogram, the patches that the encoder sees, and these with the reconstruction of the others",
    )


def patch_grid(method: str, size: tuple[int, int], patch: int) -> tuple[int, int]:
    """Rows (time) and columns (frequency) of the patches of a spectrogram.

    Raises:
      ValueError: they do not tile it.
    """
    if size[0] % patch or size[1] % patch:
        raise ValueError(
            f"{method}: patches of {patch} do not tile a spectrogram of {size[0]} frames and {size[1]} bands; change "
            "method.audio.samples, method.spectrogram.hop or method.spectrogram.mels"
        )
    return size[0] // patch, size[1] // patch
