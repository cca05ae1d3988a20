"""Denoising autoencoder: give back the image that was corrupted."""

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import dense, networks
from jssl.methods.method import Aux, Method
from jssl.methods.registry import register

CORRUPTIONS = ("mask", "salt_and_pepper", "gaussian")


@register(
    "denoising",
    paper="Vincent et al., Stacked Denoising Autoencoders, JMLR 2010 (with convolutions or a ViT)",
    needs=(),
    golden="formula",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    corruption: str = "mask",
    level: float = 0.5,
    patch: int = 4,
    decoder_width: int = 64,
) -> Method:
    """Builds a denoising autoencoder. The whole image is reconstructed, corrupted or not, as in the paper.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crop, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.mae``.
      corruption: ``"mask"`` (patches set to zero), ``"salt_and_pepper"`` or ``"gaussian"``.
      level: share of the patches or pixels, or the noise's standard deviation where pixels are in [0, 1].
      patch: side of a masked patch; 1 masks pixels.
      decoder_width: channels of the decoder.
    """
    if corruption not in CORRUPTIONS:
        raise ValueError(f"no corruption {corruption!r}: use {', '.join(CORRUPTIONS)}")
    augment = views.mae(image_size, **(augmentation or {}))
    stack = dense.encoder_decoder(
        "denoising",
        encoder=encoder,
        image_size=image_size,
        stride=1,
        out_dim=3,
        decoder_width=decoder_width,
        dtype=dtype,
    )
    corrupt = {
        "mask": lambda key, image: views.mask_patches(key, image, patch=patch, ratio=level)[0],
        "salt_and_pepper": lambda key, image: views.salt_and_pepper(key, image, ratio=level)[0],
        "gaussian": lambda key, image: views.gaussian_noise(key, image, sigma=level)[0],
    }[corruption]

    def make_views(key, example):
        image_key, noise_key = jax.random.split(key)
        clean = augment.pixels(image_key, example["image"])
        images = {"corrupted": corrupt(noise_key, clean), "clean": clean}
        return {name: views.normalize(x, mean=augment.mean, std=augment.std) for name, x in images.items()}

    def init(key, batch):
        params, batch_stats = networks.init(stack, key, batch["corrupted"])
        return params, {"batch_stats": batch_stats}

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        outputs, batch_stats = networks.forward(
            stack, params, extra["batch_stats"], batch["corrupted"], keys=keys, axis_name=axis_name
        )
        value = objectives.denoising_loss(outputs["decoder"], batch["clean"], axis_name=axis_name)
        return value, Aux({"batch_stats": batch_stats}, {}, dense.pooled(outputs["encoder"]))

    return Method(
        "denoising",
        make_views,
        init,
        loss,
        update_extra=lambda extra, updates: networks.mean_over_micro_batches(updates),
        encode=networks.encode_with(networks.make_encoder(image_size=image_size, dtype=dtype, **encoder)),
        coupled=networks.BATCH_NORM,
    )
