"""An encoder with a decoder of its map of features: what denoising and colorization share."""

import math

import jax
import jax.numpy as jnp

from jssl.methods import encoders
from jssl.methods.networks import Networks, Run
from jssl.methods.options import Given, ImageInput
from jssl.models import DenseDecoder


def encoder_decoder(
    method: str, given: Given, image: ImageInput, encoder: object, *, stride: int, out_dim: int, decoder_width: int
) -> Networks:
    """``encoder``, and ``decoder`` from its map of tokens to (B, S / stride, S / stride, out_dim).

    Raises:
      ValueError: the encoder gives no map, or one that is no power of two coarser than the prediction.
    """
    made = encoders.make("image", encoder, image_size=image.size, dtype=given.dtype)
    side = _side_of_map(method, made, (1, image.size, image.size, 3))
    doublings = math.log2(image.size / stride / side)
    if image.size % stride or doublings != int(doublings) or doublings < 0:
        raise ValueError(
            f"{method}: pictures of {image.size} give a map of {side}x{side}, which doubling does not take to "
            f"{image.size / stride:g}: choose image.size and stride so that it does"
        )
    decoder = DenseDecoder(widths=(decoder_width,) * int(doublings), out_dim=out_dim, dtype=given.dtype)
    return Networks(encoder=made, decoder=decoder)


def decode(net: Run, images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(B, S, S, C) -> (the decoder's prediction, pooled features)."""
    features = net("encoder", images)
    side = math.isqrt(features.tokens.shape[1])
    grid = features.tokens.reshape(len(images), side, side, -1)
    return net("decoder", grid), jnp.mean(features.tokens.astype(jnp.float32), 1)


def _side_of_map(method: str, encoder: encoders.Encoder, shape: tuple[int, ...]) -> int:
    """Asked of the encoder by tracing it, so that it may be anybody's."""

    def tokens(key, images):
        params, statistics = encoder.init(key, images)
        return encoder.apply(params, statistics, images, train=False, keys=None, axis_name=None)[0].tokens

    found = jax.eval_shape(tokens, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))
    if found is None or math.isqrt(found.shape[1]) ** 2 != found.shape[1]:
        raise ValueError(f"{method} needs an encoder whose tokens are a square map; these are {found and found.shape}")
    return math.isqrt(found.shape[1])
