"""Contrastive predictive coding: from what was heard so far, tell what comes from what does not."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl import collectives, objectives
from jssl.methods import encoders, networks
from jssl.methods.audio.waves import readouts, real_frames
from jssl.methods.audio_input import AudioInput
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks
from jssl.methods.options import Given
from jssl.methods.registry import register
from jssl.models.flat_dot import flat_dot

_GRU = {"name": "wave_gru", "width": 256}
NEGATIVES = ("batch", "sound")


class StepPredictors(nn.Module):
    """A linear predictor for each of the next steps, without a bias.

    Attributes:
      steps: K.
      dtype: compute dtype.
    """

    steps: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, context: jax.Array, width: int) -> jax.Array:
        """(B, W, C) -> (B, K, W, width)."""
        y = nn.Dense(self.steps * width, use_bias=False, dot_general=flat_dot, dtype=self.dtype, name="steps")(context)
        return y.reshape(*context.shape[:2], self.steps, width).swapaxes(1, 2)


@register(
    "cpc",
    paper="van den Oord et al., Representation Learning with Contrastive Predictive Coding, arXiv:1807.03748",
    asks=("audio",),
    reads=("audio", "length"),
    golden="cpc_infonce",
)
def build(
    given: Given,
    *,
    audio: AudioInput = AudioInput(),
    encoder: object = _GRU,
    steps_ahead: int = 12,
    negatives: int = 128,
    negatives_from: str = "batch",
) -> Method:
    """Builds CPC with a linear predictor for each of the next K frames.

    The negatives of a time are drawn with replacement, for all K steps the same; as in the authors' code the frame to be
    found may be among them, which is as rare as there are many frames. Frames behind the end of a sound are neither
    predicted nor negatives. Memory grows with batch x frames x negatives x channels.

    Args:
      given: the data, with ``audio`` and ``length``, and the compute dtype.
      audio: how waves enter.
      encoder: see ``encoders.make_frames``; its convolutions make what is predicted, from its causal context network.
      steps_ahead: K.
      negatives: for each time.
      negatives_from: ``"batch"``, the frames of the global batch, or ``"sound"``, of the same one, which leaves who
        speaks, and where, without use.
    """
    if negatives_from not in NEGATIVES:
        raise ValueError(f"method.negatives_from={negatives_from!r}: use {' or '.join(NEGATIVES)}")
    waves = encoders.make_frames("cpc", encoder, causal=True, dtype=given.dtype)
    frames = waves.frames(audio.size(given))
    times = frames - steps_ahead
    if times < 1 or steps_ahead < 1:
        raise ValueError(
            f"cpc predicts {steps_ahead} steps ahead in sounds of {frames} frames: take longer ones (method.audio.samples), "
            "or change method.steps_ahead"
        )
    nets = Networks(encoder=waves, predictors=StepPredictors(steps_ahead, given.dtype))
    view = audio.view(given)

    def make_views(key, example):
        wave_key, sound_key, frame_key = jax.random.split(key, 3)
        wave = view(wave_key, example)
        return {
            "audio": wave.audio,
            "length": wave.length,
            # Where in the batch, and in its sound, each negative is: shares in [0, 1), as the batch is not known here.
            "sound": jax.random.uniform(sound_key, (times, negatives), jnp.float32),
            "frame": jax.random.uniform(frame_key, (times, negatives), jnp.float32),
        }

    def forward(net, batch):
        """(features, predictions (B, K, W, D) of the convolutions' output)."""
        features = net("encoder", batch["audio"], length=batch["length"])
        return features, net("predictors", features.tokens[:, :times], features.local.shape[-1])

    def init(key, batch):
        return nets.init(key, lambda net: forward(net, batch))

    def drawn(local, batch, axis_name):
        """(B, W, N, D): the negatives."""
        real = jnp.asarray(waves.frames(batch["length"]))
        which = jnp.broadcast_to(jnp.arange(len(local), dtype=jnp.int32)[:, None, None], batch["sound"].shape)
        if negatives_from == "batch":
            local, real = collectives.gather(local, axis_name), collectives.gather(real, axis_name)
            which = _share_of(batch["sound"], len(local))
        return local[which, _share_of(batch["frame"], real[which])]

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        features, predictions = forward(net, batch)
        value = objectives.cpc_loss(
            predictions,
            features.local,
            drawn(features.local, batch, axis_name),
            real_frames(waves, features.local, batch["length"]),
            axis_name=axis_name,
        )
        return value, Aux(networks.updates(net), {}, features.pooled)

    return Method(
        "cpc",
        frozenset({"audio", "length"}),
        make_views,
        init,
        loss,
        readouts(nets, given, audio),
        coupled="the negatives are frames of the whole batch"
        if negatives_from == "batch"
        else "the mean is over the frames of the whole batch, whose number varies with the length of the sounds",
    )


def _share_of(share, count):
    """The index of ``count`` at a share of them."""
    count = jnp.asarray(count, jnp.int32)
    return jnp.minimum((share * count.astype(jnp.float32)).astype(jnp.int32), count - 1)
