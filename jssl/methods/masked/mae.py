"""MAE: reconstruct the pixels of masked patches from the visible quarter."""

import math

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.method import Aux, Method, Show
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput, Transformer
from jssl.methods.registry import register
from jssl.models import MAEDecoder

_VIT = {"name": "vit_base", "positions": "sincos"}


@register(
    "mae",
    paper="He et al., Masked Autoencoders Are Scalable Vision Learners, arXiv:2111.06377",
    asks=("patches",),
    golden="mae",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _VIT,
    decoder: Transformer = Transformer(width=512, depth=8, heads=16),
    mask_ratio: float = 0.75,
    normalize_targets: bool = True,
) -> Method:
    """Builds MAE.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.mae``.
      encoder: see ``encoders.make``; with patches, in the paper with a class token and sin-cos positions.
      decoder: its size.
      mask_ratio: share of the patches removed.
      normalize_targets: normalise each target patch by its own mean and deviation.
    """
    vit = encoders.make_patches("mae", encoder, image_size=image.size, dtype=given.dtype)
    patch, grid = vit.patch_size, image.size // vit.patch_size
    keep = int(grid**2 * (1 - mask_ratio))
    nets = Networks(
        encoder=vit,
        decoder=MAEDecoder(
            width=decoder.width,
            depth=decoder.depth,
            heads=decoder.heads,
            patch_size=patch,
            grid=grid,
            dtype=given.dtype,
        ),
    )
    view = image.view(given, views.mae)

    def make_views(key, example):
        image_key, mask_key = jax.random.split(key)
        visible, _, restore, mask = views.random_mask(mask_key, grid**2, keep)
        return {"image": view(image_key, example), "visible": visible, "restore": restore, "mask": mask}

    def forward(net, batch):
        """(prediction of every patch, pooled features of the visible ones)."""
        features = net("encoder", batch["image"], indices=batch["visible"])
        # The class token takes part in the decoder, or it would never be trained.
        token = features.pooled if vit.pools_token else None
        return net("decoder", features.tokens, batch["restore"], class_token=token), features.pooled

    def init(key, batch):
        return nets.init(key, lambda net: forward(net, batch))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        prediction, pooled = forward(net, batch)
        value = objectives.mae_loss(
            prediction,
            objectives.patchify(batch["image"], patch_size=patch),
            batch["mask"],
            normalize_targets=normalize_targets,
            axis_name=axis_name,
        )
        return value, Aux(networks.updates(net), {}, pooled)

    def show(params, teacher, extra, batch):
        del teacher
        whole, hidden = objectives.patchify(batch["image"], patch_size=patch), batch["mask"][..., None]
        prediction = forward(nets.frozen(params, extra), batch)[0]
        if normalize_targets:  # what was predicted is relative to each patch's mean and deviation
            prediction = prediction * jnp.sqrt(whole.var(-1, keepdims=True) + 1e-6) + whole.mean(-1, keepdims=True)
        parts = whole, jnp.where(hidden > 0, 0.0, whole), jnp.where(hidden > 0, prediction, whole)
        return tuple(_picture(patches, patch) for patches in parts)

    caption = "the picture, the patches that the encoder sees, and these with the reconstruction of the others"
    return Method(
        "mae",
        frozenset({"image"}),
        make_views,
        init,
        loss,
        encoders.readouts(nets, image.prepare(given)),
        shows={"Reconstruction": Show(caption, show)},
    )


def _picture(patches: jax.Array, patch: int) -> jax.Array:
    """(B, N, p * p * C) -> (B, H, W, C): what ``objectives.patchify`` has taken apart."""
    batch, number, _ = patches.shape
    side = math.isqrt(number)
    pieces = patches.reshape(batch, side, side, patch, patch, -1)
    return jnp.swapaxes(pieces, 2, 3).reshape(batch, side * patch, side * patch, -1)
