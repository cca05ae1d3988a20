"""The readout of encoders of spectrograms: what they make of the frames that hold sound."""

from collections.abc import Callable

import jax.numpy as jnp

from jssl.methods import encoders
from jssl.methods.audio_input import Spectrogram
from jssl.methods.method import Readout
from jssl.methods.networks import Networks
from jssl.models import Features
from jssl.models.features import mean_tokens


def spectrogram_readouts(networks: Networks, prepare: Callable, *, patch_size: int) -> dict[str, Readout]:
    """``audio``: the features of ``encoder``, pooled over the patches that hold sound unless its class token is.

    Args:
      networks: with ``encoder``, which cuts a spectrogram into patches.
      prepare: example -> ``Spectrogram``, see ``SpectrogramInput.prepare``.
      patch_size: frames of a patch.
    """
    plain = encoders.read(networks)

    def apply(params, extra, inputs, *, last=0):
        features = plain(params, extra, inputs.image, last=last)
        token = getattr(networks.by_name["encoder"], "pools_token", False)
        return pool_sound(features, inputs, patch_size=patch_size, token=token)

    return {"audio": Readout(prepare, apply)}


def pool_sound(features: Features, inputs: Spectrogram, *, patch_size: int, token: bool) -> Features:
    """Features of patches of spectrograms, pooled over those that hold sound.

    Args:
      features: with tokens, in raster order.
      inputs: what they were made of.
      patch_size: frames of a patch.
      token: the class token is the pooled output where there is one: the features stay as they are.
    """
    if token and features.class_token is not None:
        return features
    assert features.tokens is not None  # of patches
    rows, columns = (side // patch_size for side in inputs.image.shape[1:3])
    first = jnp.arange(rows * columns) // columns * patch_size  # frame of each patch, raster order
    return features._replace(pooled=mean_tokens(features.tokens, first[None] < inputs.frames[:, None]))
