"""Audio-video contrastive learning: a clip finds its sound among those of the batch, and a sound its clip."""

import dataclasses

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders
from jssl.methods.audio_input import AudioInput, Spectrogram, SpectrogramInput
from jssl.methods.audio_readout import pool_sound
from jssl.methods.masked.audio_mae import patch_grid
from jssl.methods.method import Method
from jssl.methods.options import Given, VideoInput
from jssl.methods.pairs.two_towers import Scale, Tower, two_towers
from jssl.methods.registry import register
from jssl.methods.video.clip_masks import tubelets

_VIT = {"name": "vit_base", "positions": "sincos", "class_token": False, "pool": "mean"}


@register(
    "audio_video",
    paper="Akbari et al., VATT: Transformers for Multimodal Self-Supervised Learning, arXiv:2104.11178",
    carries=("scale",),
    asks=("video", "audio", "patches"),
    reads=("video", "audio", "length"),
    golden="clip",
)
def build(
    given: Given,
    *,
    video: VideoInput = VideoInput(),
    audio: AudioInput = AudioInput(),
    spectrogram: SpectrogramInput = SpectrogramInput(),
    encoder: object = _VIT,
    audio_encoder: object = _VIT,
    width: int = 512,
    segments: int = 1,
    scale: float = 1 / 0.07,
    largest_scale: float = 100.0,
    exchange: str = "gather",
) -> Method:
    """Builds audio-video contrastive learning. Both towers see the same time, drawn per step.

    With several segments the towers see a part of the clip at a time, and each finds what goes with it among the parts of its
    own clip and of all others, as in Korbar et al., arXiv:1807.00230. A tower that saw the whole clip could tell the parts
    apart by their place alone, and would not need to look or to listen.

    VATT's negatives of a pair are those of both directions in one sum, here each direction has its own, as in CLIP; its
    temperature is fixed at 0.07 (here ``largest_scale=1 / 0.07`` bounds the scale there); its audio tower reads waves, or, in
    its appendix, spectrograms; its projections have two layers for clips; and it learns from what is said, too.

    Args:
      given: the data, with ``video``, ``audio`` and ``length``, and the compute dtype. Sound spans the same time as its clip.
      video: how clips enter; ``augment`` changes ``views.mae``.
      audio: how sounds enter; ``samples`` are by default those that are heard while the frames are seen.
      spectrogram: how spectrograms are made of them.
      encoder: of clips, see ``encoders.make``; with tubelets.
      audio_encoder: of spectrograms, with patches.
      width: of the common space; features of several segments are side by side.
      segments: parts of a clip, and of its sound, that are told apart.
      scale: of the similarities at the start: 1 / temperature.
      largest_scale: it is learnt, up to here.
      exchange: how the batch of all devices is compared, ``"gather"`` or ``"ring"``: see ``objectives.nt_xent``.

    Raises:
      ValueError: segments, tubelets or patches do not tile a clip or its sound.
    """
    clip = given.spec["video"].shape[0]
    span = min(clip, video.frames * video.stride)  # the last frame lasts as long as the others
    if segments > 1 and audio.samples is not None:
        raise ValueError(f"audio_video: segments={segments} go with all of the sound; leave method.audio.samples out")
    if audio.samples is None:
        audio = dataclasses.replace(audio, samples=given.spec["audio"].shape[0] * span // clip)
    frames, bands = spectrogram.shape(given, audio)
    if segments < 1 or video.frames % segments or frames % segments:
        raise ValueError(
            f"audio_video: method.segments={segments} do not tile {video.frames} frames of clips and {frames} of spectrograms"
        )

    of_a_part = dataclasses.replace(video, frames=video.frames // segments)
    vit, _ = tubelets("audio_video", given, of_a_part, encoder)
    heard = (frames // segments, bands)
    listener = encoders.make_patches("audio_video", audio_encoder, image_size=heard, dtype=given.dtype)
    patch_grid("audio_video", heard, listener.patch_size)

    def cut(clips):
        return jnp.stack(jnp.split(clips, segments, 1))

    def cut_sound(sound):
        before = frames // segments * jnp.arange(segments)[:, None]
        return Spectrogram(cut(sound.image), jnp.clip(sound.frames[None] - before, 0, frames // segments))

    def of_sound(net, sound):
        features = net("audio", sound.image)
        return pool_sound(features, sound, patch_size=listener.patch_size, token=listener.pools_token).pooled

    method = two_towers(
        "audio_video",
        Tower(
            name="video",
            network=vit,
            field="video",
            view=video.view(given, views.mae),
            prepare=video.prepare(given),
            features=lambda net, clips: net("video", clips).pooled,
            parts=cut if segments > 1 else None,
        ),
        Tower(
            name="audio",
            network=listener,
            field="spectrogram",
            view=spectrogram.view(given, audio),
            prepare=spectrogram.prepare(given, audio),
            features=of_sound,
            parts=cut_sound if segments > 1 else None,
        ),
        fields=frozenset({"video", "audio", "length"}),
        width=width,
        scale=Scale(scale, 0.0, largest_scale),
        compare=lambda clips, sounds, factor, bias, axis_name: objectives.clip_loss(
            clips, sounds, logit_scale=factor, exchange=exchange, axis_name=axis_name
        ),
        dtype=given.dtype,
    )

    def make_views(key, example):
        names = ("video", "audio", "length")
        moment = views.random_moment(jax.random.fold_in(key, 2), *(example[name] for name in names), frames=span)
        return method.views(key, {**example, **dict(zip(names, moment))})

    return dataclasses.replace(method, views=make_views)
