"""A-JEPA: I-JEPA on log-mel spectrograms, whose targets move from random blocks to bands of time and of frequency."""

import dataclasses

import jax
import jax.numpy as jnp

from jssl import views
from jssl.durations import Length
from jssl.methods import encoders
from jssl.methods.audio_input import AudioInput, SpectrogramInput
from jssl.methods.audio_readout import spectrogram_readouts
from jssl.methods.masked.audio_mae import patch_grid
from jssl.methods.masked.ijepa import Blocks
from jssl.methods.masked.latent import latent_prediction
from jssl.methods.method import Method
from jssl.methods.options import Given, Transformer
from jssl.methods.registry import register

_VIT = {"name": "vit_base", "positions": "sincos", "class_token": False, "pool": "mean"}
_MASKS = ("context", "context_mask", "target", "target_mask")


@dataclasses.dataclass(frozen=True)
class Bands:
    """The targets of the end of the curriculum, see ``views.multi_band``: as many as there are blocks.

    Attributes:
      num_time: bands of time among them; the others are of frequency.
      time_scale: range of the width of a band of time, share of the sound.
      frequency_scale: range of the width of a band of frequency, share of the spectrum.
      start: until when all targets are random blocks.
      full: from when on all are bands; in between the share of the examples that have them grows linearly. Both ours.
    """

    num_time: int = 2
    time_scale: tuple[float, float] = (0.15, 0.2)
    frequency_scale: tuple[float, float] = (0.15, 0.2)
    start: Length = 0
    full: Length = 100_000

    def share_at(self, step):
        """The share of the examples that have bands at a step.

        >>> [float(Bands(start=10, full=20).share_at(step)) for step in (0, 10, 15, 20, 30)]
        [0.0, 0.0, 0.5, 1.0, 1.0]
        """
        start, full = int(self.start), int(self.full)
        share = jnp.clip((step - start) / max(full - start, 1), 0.0, 1.0)
        return jnp.where(step >= full, 1.0, share)


@register(
    "ajepa",
    paper="Fei et al., A-JEPA: Joint-Embedding Predictive Architecture Can Listen, arXiv:2311.15830",
    carries=("teacher", "predictor"),
    asks=("audio", "patches"),
    reads=("audio", "length"),
    golden="ijepa",
)
def build(
    given: Given,
    *,
    audio: AudioInput = AudioInput(),
    spectrogram: SpectrogramInput = SpectrogramInput(),
    encoder: object = _VIT,
    predictor: Transformer = Transformer(width=384, depth=6, heads=12),
    blocks: Blocks = Blocks(),
    bands: Bands = Bands(),
) -> Method:
    """Builds A-JEPA.

    We know of no public code, and the exact schedule of the curriculum is not known, nor how bands are drawn; the paper says
    that masks go from random blocks to ones that know of time and frequency as training goes on. Here each example draws
    both, and a number between 0 and 1: it has bands where that is below a share that grows with the step. Bands are as wide as the
    areas of I-JEPA's blocks are large. Padding is silence, which is seen and predicted as sound is.

    Args:
      given: the data and the compute dtype.
      audio: how waves enter.
      spectrogram: how spectrograms are made of them.
      encoder: see ``encoders.make``; with patches.
      predictor: its size.
      blocks: what is context and what is predicted at the start of the curriculum.
      bands: what is predicted at its end, and when that is; the context is all else, as much of it as of that of blocks.

    Raises:
      ValueError: patches do not tile the spectrogram, or bands might leave no context.
    """
    size = spectrogram.shape(given, audio)
    vit = encoders.make_patches("ajepa", encoder, image_size=size, dtype=given.dtype)
    grid = patch_grid("ajepa", size, vit.patch_size)
    if not 0 <= bands.num_time <= blocks.num_targets:
        raise ValueError(f"method.bands.num_time={bands.num_time} of {blocks.num_targets} targets (method.blocks)")
    view = spectrogram.view(given, audio)

    def draw_bands(key):
        return views.multi_band(
            key,
            grid,
            num_time=bands.num_time,
            num_frequency=blocks.num_targets - bands.num_time,
            time_scale=bands.time_scale,
            frequency_scale=bands.frequency_scale,
            num_contexts=blocks.num_contexts,
            context_size=blocks.slots(grid),
        )

    jax.eval_shape(draw_bands, jax.random.key(0))  # refuses bands that do not fit, when the method is built

    def make_views(key, example):
        view_key, block_key, band_key, late_key = jax.random.split(key, 4)
        early, late = blocks.draw(block_key, example["batch_key"], grid), draw_bands(band_key)
        found = {}
        for name in _MASKS:
            slots = max(early[name].shape[1], late[name].shape[1])
            padded = [jnp.pad(x, ((0, 0), (0, slots - x.shape[1]))) for x in (early[name], late[name])]
            found[f"{name}_blocks"], found[f"{name}_bands"] = padded
        image = view(view_key, example).image
        return {"spectrogram": image, "turn": jax.random.uniform(late_key, ()), **found}

    def masks(batch, step, axis_name):
        late = (batch["turn"] < bands.share_at(step))[:, None, None]
        found = {name: jnp.where(late, batch[f"{name}_bands"], batch[f"{name}_blocks"]) for name in _MASKS}
        return blocks.of(found, axis_name)

    def picture(part):
        """Time to the right and frequency upwards."""
        part = part[..., 0] if part.ndim == 4 else part
        return jnp.swapaxes(part, 1, 2)[:, ::-1]

    return latent_prediction(
        "ajepa",
        fields=frozenset({"audio", "length"}),
        field="spectrogram",
        views=make_views,
        masks=masks,
        encoder=vit,
        predictor=predictor,
        grid=grid,
        readouts=lambda nets: spectrogram_readouts(nets, spectrogram.prepare(given, audio), patch_size=vit.patch_size),
        picture=picture,
        caption="the spectrogram, a context of the first steps, and the cosine of predicted and true features at its targets; "
        "brighter is closer",
        coupled=blocks.coupled,
        dtype=given.dtype,
    )
