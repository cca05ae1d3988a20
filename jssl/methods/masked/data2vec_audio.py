"""data2vec for sounds: predict, at masked spans of time, the average of an EMA encoder's last blocks for the whole sound."""

import jax
import jax.numpy as jnp

from jssl import views
from jssl.methods import encoders
from jssl.methods.audio_input import AudioInput, SpanMask, SpectrogramInput
from jssl.methods.audio_readout import spectrogram_readouts
from jssl.methods.masked.audio_mae import patch_grid
from jssl.methods.masked.regression import masked_regression
from jssl.methods.method import Method
from jssl.methods.options import Given
from jssl.methods.registry import register

_VIT = {"name": "vit_base", "positions": "sincos", "class_token": False, "pool": "mean"}


@register(
    "data2vec_audio",
    paper="Baevski et al., data2vec: Self-supervised Learning in Speech, Vision and Language, arXiv:2202.03555",
    carries=("teacher",),
    asks=("audio", "patches"),
    reads=("audio", "length"),
    golden="data2vec",
)
def build(
    given: Given,
    *,
    audio: AudioInput = AudioInput(),
    spectrogram: SpectrogramInput = SpectrogramInput(),
    encoder: object = _VIT,
    mask: SpanMask = SpanMask(span=2),
    top_blocks: int = 8,
    normalize_layers: str = "instance",
    beta: float | None = None,
) -> Method:
    """Builds data2vec for sounds.

    It works on patches of a log-mel spectrogram, where the paper's model for speech works on frames of 20 ms that convolutions
    make of the raw wave, with spans of ten. Here a span is of rows of patches, each with all its frequencies; only sound is
    masked, and what lies behind its end is seen, as silence. Targets are the outputs of whole blocks, where the authors' code for
    speech takes those of the feed-forward layers before the residual sum.

    Args:
      given: the data and the compute dtype.
      audio: how waves enter.
      spectrogram: how spectrograms are made of them.
      encoder: see ``encoders.make``; with patches.
      mask: what is hidden from the student, in rows of patches.
      top_blocks: K, how many of the teacher's last blocks are averaged.
      normalize_layers: of each block's output before the average, see ``objectives.data2vec_targets``: ``"instance"`` as in
        the paper's model for speech, or ``"layer"``.
      beta: where the smooth L1 loss turns from the square to the absolute value; None is the square everywhere, as in the
        authors' recipe for speech.

    Raises:
      ValueError: patches do not tile the spectrogram, the encoder has fewer blocks, or the mask hides nothing, or a span is
        longer than the sound.
    """
    size = spectrogram.shape(given, audio)
    vit = encoders.make_patches("data2vec_audio", encoder, mask_token=True, image_size=size, dtype=given.dtype)
    rows, columns = patch_grid("data2vec_audio", size, vit.patch_size)
    count = round(mask.ratio * rows)
    if not 1 <= count < rows or mask.span > rows:
        raise ValueError(
            f"data2vec_audio masks {count} of {rows} rows of patches in spans of {mask.span}: take longer sounds "
            "(method.audio.samples), or change method.mask.ratio or method.mask.span"
        )
    view = spectrogram.view(given, audio)

    def make_views(key, example):
        view_key, mask_key = jax.random.split(key)
        made = view(view_key, example)
        heard = -(-made.frames // vit.patch_size)
        _, _, hidden = views.span_mask(mask_key, rows, count=count, span=mask.span, length=heard)
        return {"spectrogram": made.image, "mask": jnp.repeat(hidden, columns)}

    return masked_regression(
        "data2vec_audio",
        fields=frozenset({"audio", "length"}),
        field="spectrogram",
        views=make_views,
        encoder=vit,
        top_blocks=top_blocks,
        normalize_layers=normalize_layers,
        normalize_targets=None,
        beta=beta,
        readouts=lambda nets: spectrogram_readouts(nets, spectrogram.prepare(given, audio), patch_size=vit.patch_size),
        coupled="the mean is over the masked patches of the whole batch, whose number varies with the length of the sounds",
        dtype=given.dtype,
    )
