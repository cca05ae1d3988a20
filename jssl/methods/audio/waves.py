"""What methods that read waveforms share: how a batch of them is called, and read."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jssl.methods.audio_input import AudioInput
from jssl.methods.encoders import FrameEncoder
from jssl.methods.method import Readout
from jssl.methods.networks import Networks
from jssl.methods.options import Given


def real_frames(encoder: FrameEncoder, tokens: jax.Array, length: jax.Array) -> jax.Array:
    """(B, N) bool: which of the frames (B, N, D) of waves with ``length`` (B,) true samples are no padding."""
    return jnp.arange(tokens.shape[1], dtype=jnp.int32)[None] < encoder.frames(length)[:, None]


def readouts(nets: Networks, given: Given, audio: AudioInput) -> Mapping[str, Readout]:
    """The readout ``audio``: what the encoder makes of the middle of a sound."""

    def read(params, extra, inputs):
        return nets.frozen(params, extra)("encoder", inputs.audio, length=inputs.length)

    return {"audio": Readout(audio.prepare(given), read)}
