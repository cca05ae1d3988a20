"""MAE: reconstruct the pixels of masked patches from the visible quarter."""

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.method import Aux, Method
from jssl.methods.registry import register
from jssl.models import mae as decoders


@register(
    "mae",
    paper="He et al., Masked Autoencoders Are Scalable Vision Learners, arXiv:2111.06377",
    needs=("ViT",),
    golden="mae",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    mask_ratio: float = 0.75,
    normalize_targets: bool = True,
    decoder_width: int = 512,
    decoder_depth: int = 8,
    decoder_heads: int = 16,
) -> Method:
    """Builds MAE.

    Args:
      encoder: options of ``networks.make_vit``; with a class token and sin-cos positions in the paper.
      image_size: side of the crop, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.mae``.
      mask_ratio: share of the patches removed.
      normalize_targets: normalise each target patch by its own mean and deviation.
      decoder_width: of the decoder.
      decoder_depth: of the decoder.
      decoder_heads: of the decoder.
    """
    augment = views.mae(image_size, **(augmentation or {}))
    network = networks.make_vit("mae", image_size=image_size, dtype=dtype, **encoder)
    vit = network.module
    patch, grid = vit.patch_size, image_size // vit.patch_size
    keep = int(grid**2 * (1 - mask_ratio))
    decoder = decoders.MAEDecoder(
        width=decoder_width, depth=decoder_depth, heads=decoder_heads, patch_size=patch, grid=grid, dtype=dtype
    )

    def class_token(pooled):
        """The class token takes part in the decoder, or it would never be trained."""
        return pooled if vit.pool == "token" else None

    def make_views(key, example):
        image_key, mask_key = jax.random.split(key)
        visible, _, restore, mask = views.random_mask(mask_key, grid**2, keep)
        return {"image": augment(image_key, example["image"]), "visible": visible, "restore": restore, "mask": mask}

    def init(key, batch):
        encoder_key, decoder_key = jax.random.split(key)
        variables = vit.init(encoder_key, batch["image"], indices=batch["visible"])
        pooled, tokens = vit.apply(variables, batch["image"], indices=batch["visible"])
        decoder_variables = decoder.init(decoder_key, tokens, batch["restore"], class_token=class_token(pooled))
        return {"encoder": variables["params"], "decoder": decoder_variables["params"]}, {}

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, extra, step
        pooled, tokens = vit.apply({"params": params["encoder"]}, batch["image"], indices=batch["visible"], keys=keys)
        prediction = decoder.apply(
            {"params": params["decoder"]}, tokens, batch["restore"], class_token=class_token(pooled)
        )
        value = objectives.mae_loss(
            prediction,
            objectives.patchify(batch["image"], patch_size=patch),
            batch["mask"],
            normalize_targets=normalize_targets,
            axis_name=axis_name,
        )
        return value, Aux({}, {}, pooled)

    return Method(
        "mae", make_views, init, loss, update_extra=lambda extra, updates: extra, encode=networks.encode_with(network)
    )
