"""An encoder with a decoder of its map of features: what denoising and colorization share."""

import math

import jax.numpy as jnp

from jssl.methods import networks
from jssl.models import dense_decoder, resnet


def encoder_decoder(
    method: str, *, encoder, image_size: int, stride: int, out_dim: int, decoder_width: int, dtype
) -> dict[str, networks.Network]:
    """``encoder``, giving a (B, h, w, D) map, and ``decoder``, giving (B, S / stride, S / stride, out_dim).

    The encoder's parameters are those of ``networks.make_encoder``, which pools the same map.

    Raises:
      ValueError: the map is no power of two coarser than the prediction.
    """
    network = networks.make_encoder(image_size=image_size, dtype=dtype, **encoder)
    if isinstance(network.module, resnet.ResNet):
        coarse = (4 if network.module.stem == "imagenet" else 1) * 2 ** (len(network.module.stage_sizes) - 1)
        mapped = networks.Network(network.module.clone(pool="none"), network.call)
    else:
        coarse = network.module.patch_size
        mapped = networks.Network(network.module, _tokens_as_map)
    doublings = math.log2(coarse / stride)
    if image_size % coarse or doublings != int(doublings) or doublings < 0:
        raise ValueError(
            f"{method}: image_size={image_size} gives a map at 1/{coarse}, which doubling does not take to 1/{stride}; "
            f"use a multiple of {coarse} and a stride of {coarse} or a half, a quarter ... of it"
        )
    decoder = dense_decoder.DenseDecoder(widths=(decoder_width,) * int(doublings), out_dim=out_dim, dtype=dtype)
    return {"encoder": mapped, "decoder": networks.Network(decoder, lambda m, x, train, keys: m(x, train=train))}


def _tokens_as_map(vit, images, train, keys):
    _, tokens = vit(images, keys=keys if train else None)
    side = images.shape[1] // vit.patch_size
    return tokens.reshape(len(images), side, side, -1)


def pooled(features):
    """(B, h, w, D) -> (B, D): what is watched for collapse."""
    return jnp.mean(features.astype(jnp.float32), (1, 2))
