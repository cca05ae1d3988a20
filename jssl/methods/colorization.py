"""Colorization: name the colours of an image of which only the lightness is seen."""

import jax
import jax.numpy as jnp

from jssl import collectives, objectives, views
from jssl.methods import dense, networks
from jssl.methods.method import Aux, Method
from jssl.methods.registry import register


@register(
    "colorization",
    paper="Zhang et al., Colorful Image Colorization, arXiv:1603.08511",
    needs=("colour prior",),
    golden="formula",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    stride: int = 4,
    decoder_width: int = 64,
    uniform_share: float = 0.5,
    prior_momentum: float = 0.99,
) -> Method:
    """Builds colorization: classification into the bins of the ab plane, rare colours weighted up.

    The prior that the weights come from is a running mean over the batches; the paper counts it on the training set
    once. The encoder keeps three input channels, all of them the lightness, so that it can be used on any image.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crop, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.mae``.
      stride: pixels per side of a predicted colour.
      decoder_width: channels of the decoder.
      uniform_share: of the uniform distribution in the prior; 1 turns the weighting off.
      prior_momentum: of the running prior.
    """
    augment = views.mae(image_size, **(augmentation or {}))
    bins = views.ab_bins()
    stack = dense.encoder_decoder(
        "colorization",
        encoder=encoder,
        image_size=image_size,
        stride=stride,
        out_dim=len(bins),
        decoder_width=decoder_width,
        dtype=dtype,
    )
    encode_whole = networks.encode_with(networks.make_encoder(image_size=image_size, dtype=dtype, **encoder))

    def make_views(key, example):
        image = augment.pixels(key, example["image"])
        return views.colorization(key, image, bins=bins, stride=stride)

    def as_input(lightness):
        return jnp.repeat(lightness, 3, axis=-1)

    def init(key, batch):
        params, batch_stats = networks.init(stack, key, as_input(batch["lightness"]))
        return params, {"batch_stats": batch_stats, "prior": jnp.full(len(bins), 1.0 / len(bins), jnp.float32)}

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        outputs, batch_stats = networks.forward(
            stack, params, extra["batch_stats"], as_input(batch["lightness"]), keys=keys, axis_name=axis_name
        )
        targets = views.soft_targets(batch["target"], batch["weight"], len(bins))
        weights = views.rebalancing_weights(extra["prior"], lam=uniform_share)[batch["target"][..., 0]]
        value = objectives.soft_cross_entropy_loss(outputs["decoder"], targets, weights=weights, axis_name=axis_name)
        seen = collectives.mean(targets.mean((0, 1, 2)), axis_name)
        updates = {"batch_stats": batch_stats, "prior": prior_momentum * extra["prior"] + (1.0 - prior_momentum) * seen}
        return value, Aux(updates, {}, dense.pooled(outputs["encoder"]))

    def encode(params, extra, images):
        """Normalised RGB -> features of the lightness."""
        mean, std = (jnp.asarray(x, jnp.float32).reshape(1, 1, 1, 3) for x in (augment.mean, augment.std))
        pixels = jnp.clip(images * std + mean, 0.0, 1.0)
        lightness = jax.vmap(views.rgb_to_lab)(pixels)[..., :1] / 50.0 - 1.0
        return encode_whole(params, extra, as_input(lightness))

    return Method(
        "colorization",
        make_views,
        init,
        loss,
        update_extra=lambda extra, updates: networks.mean_over_micro_batches(updates),
        encode=encode,
        coupled="the weights are averaged over the whole batch",
    )
