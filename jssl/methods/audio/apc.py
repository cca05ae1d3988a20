"""Autoregressive predictive coding: from the frames so far, say what the frame a few steps ahead will be."""

import jax.numpy as jnp

from jssl import objectives
from jssl.methods import encoders, networks
from jssl.methods.audio_input import AudioInput, SpectrogramInput
from jssl.methods.heads import linear
from jssl.methods.method import Aux, Method, Readout
from jssl.methods.networks import Networks
from jssl.methods.options import Given
from jssl.methods.registry import register

_GRU = {"name": "gru", "width": 512, "depth": 3}


@register(
    "apc",
    paper="Chung et al., An Unsupervised Autoregressive Model for Speech Representation Learning, arXiv:1904.03240",
    asks=("audio",),
    reads=("audio", "length"),
    golden="formula",
)
def build(
    given: Given,
    *,
    audio: AudioInput = AudioInput(),
    spectrogram: SpectrogramInput = SpectrogramInput(mels=80),
    encoder: object = _GRU,
    steps_ahead: int = 3,
) -> Method:
    """Builds autoregressive predictive coding of log-mel spectrograms.

    Frames behind the end of a sound are not predicted. The authors have a unidirectional LSTM with residual connections
    where this has GRUs, and normalise the frames of a speaker together.

    Args:
      given: the data, with ``audio`` and ``length``, and the compute dtype.
      audio: how waves enter.
      spectrogram: how the frames are made of them.
      encoder: see ``encoders.make``; of frames, none of which may see a later one.
      steps_ahead: how far ahead the frame is that is predicted.
    """
    frames, _ = spectrogram.shape(given, audio)
    if not 1 <= steps_ahead < frames:
        raise ValueError(
            f"apc predicts {steps_ahead} steps ahead in spectrograms of {frames} frames: take longer sounds "
            "(method.audio.samples), or change method.steps_ahead"
        )
    nets = Networks(
        encoder=encoders.make("frames", encoder, causal=True, dtype=given.dtype),
        decoder=linear(spectrogram.mels, given.dtype),
    )
    view = spectrogram.view(given, audio)

    def make_views(key, example):
        made = view(key, example)
        return {"spectrogram": made.image, "frames": made.frames}

    def encode(net, image, count):
        """Features, and which frames are real."""
        real = jnp.arange(image.shape[1], dtype=jnp.int32)[None] < count[:, None]
        return net("encoder", image[..., 0], real=real), real

    def forward(net, batch):
        features, real = encode(net, batch["spectrogram"], batch["frames"])
        return features, net("decoder", features.tokens), real

    def init(key, batch):
        return nets.init(key, lambda net: forward(net, batch))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        features, prediction, real = forward(net, batch)
        value = objectives.apc_loss(
            prediction, batch["spectrogram"][..., 0], real, steps_ahead=steps_ahead, axis_name=axis_name
        )
        return value, Aux(networks.updates(net), {}, features.pooled)

    def read(params, extra, inputs):
        return encode(nets.frozen(params, extra), inputs.image, inputs.frames)[0]

    return Method(
        "apc",
        frozenset({"audio", "length"}),
        make_views,
        init,
        loss,
        {"audio": Readout(spectrogram.prepare(given, audio), read)},
        coupled="the mean is over the frames of the whole batch, whose number varies with the length of the sounds",
    )
