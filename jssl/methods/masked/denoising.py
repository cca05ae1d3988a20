"""Denoising autoencoder: give back the picture that was corrupted."""

import jax

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.masked.dense import decode, encoder_decoder
from jssl.methods.method import Aux, Method, Show
from jssl.methods.options import Given, ImageInput
from jssl.methods.registry import register

CORRUPTIONS = ("mask", "salt_and_pepper", "gaussian")
_RESNET = {"name": "resnet18"}


@register(
    "denoising",
    paper="Vincent et al., Stacked Denoising Autoencoders, JMLR 2010 (with convolutions or a ViT)",
    golden="formula",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    corruption: str = "mask",
    level: float = 0.5,
    patch: int = 4,
    decoder_width: int = 64,
) -> Method:
    """Builds a denoising autoencoder. The whole picture is reconstructed, corrupted or not, as in the paper.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.mae``.
      encoder: see ``encoders.make``.
      corruption: ``"mask"`` (patches set to zero), ``"salt_and_pepper"`` or ``"gaussian"``.
      level: share of the patches or pixels, or the noise's standard deviation where pixels are in [0, 1].
      patch: side of a masked patch; 1 masks pixels.
      decoder_width: channels of the decoder.
    """
    if corruption not in CORRUPTIONS:
        raise ValueError(f"no corruption {corruption!r}: use {', '.join(CORRUPTIONS)}")
    view = image.view(given, views.mae)
    nets = encoder_decoder("denoising", given, image, encoder, stride=1, out_dim=3, decoder_width=decoder_width)
    corrupt = {
        "mask": lambda key, image: views.mask_patches(key, image, patch=patch, ratio=level)[0],
        "salt_and_pepper": lambda key, image: views.salt_and_pepper(key, image, ratio=level)[0],
        "gaussian": lambda key, image: views.gaussian_noise(key, image, sigma=level)[0],
    }[corruption]

    def make_views(key, example):
        image_key, noise_key = jax.random.split(key)
        clean = view.pixels(image_key, example)
        return {"corrupted": view.normalize(corrupt(noise_key, clean)), "clean": view.normalize(clean)}

    def init(key, batch):
        return nets.init(key, lambda net: decode(net, batch["corrupted"]))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        prediction, pooled = decode(net, batch["corrupted"])
        value = objectives.denoising_loss(prediction, batch["clean"], axis_name=axis_name)
        return value, Aux(networks.updates(net), {}, pooled)

    def show(params, teacher, extra, batch):
        del teacher
        return batch["corrupted"], decode(nets.frozen(params, extra), batch["corrupted"])[0], batch["clean"]

    return Method(
        "denoising",
        frozenset({"image"}),
        make_views,
        init,
        loss,
        encoders.readouts(nets, image.prepare(given)),
        shows={"Restored": Show("the corrupted picture, what was made of it, and the picture itself", show)},
    )
