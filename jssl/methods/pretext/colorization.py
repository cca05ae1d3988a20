"""Colorization: name the colours of a picture of which only the lightness is seen."""

import jax
import jax.numpy as jnp

from jssl import collectives, objectives, views
from jssl.methods import encoders, networks
from jssl.methods.masked.dense import decode, encoder_decoder
from jssl.methods.method import Aux, Method, Show
from jssl.methods.options import Given, ImageInput
from jssl.methods.registry import register

_RESNET = {"name": "resnet18"}
_SHARPNESS = (
    0.38  # temperature of the mean over the bins that is shown, between the mean and the mode: the paper's section 2.3
)


@register(
    "colorization",
    paper="Zhang et al., Colorful Image Colorization, arXiv:1603.08511",
    carries=("colour prior",),
    golden="formula",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    stride: int = 4,
    decoder_width: int = 64,
    uniform_share: float = 0.5,
    prior_momentum: float = 0.99,
) -> Method:
    """Builds colorization: classification into the bins of the ab plane, rare colours weighted up.

    The prior that the weights come from is a running mean over the batches; the paper counts it on the training set
    once. The encoder keeps three input channels, all of them the lightness, so that it can be used on any picture.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.mae``.
      encoder: see ``encoders.make``.
      stride: pixels per side of a predicted colour.
      decoder_width: channels of the decoder.
      uniform_share: of the uniform distribution in the prior; 1 turns the weighting off.
      prior_momentum: of the running prior.
    """
    bins = views.ab_bins()
    view = image.view(given, views.mae)
    nets = encoder_decoder(
        "colorization", given, image, encoder, stride=stride, out_dim=len(bins), decoder_width=decoder_width
    )

    def make_views(key, example):
        return views.colorization(key, view.pixels(key, example), bins=bins, stride=stride)

    def as_input(lightness):
        return jnp.repeat(lightness, 3, axis=-1)

    def init(key, batch):
        params, extra = nets.init(key, lambda net: decode(net, as_input(batch["lightness"])))
        return params, {**extra, "prior": jnp.full(len(bins), 1.0 / len(bins), jnp.float32)}

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        prediction, pooled = decode(net, as_input(batch["lightness"]))
        targets = views.soft_targets(batch["target"], batch["weight"], len(bins))
        weights = views.rebalancing_weights(extra["prior"], lam=uniform_share)[batch["target"][..., 0]]
        value = objectives.soft_cross_entropy_loss(prediction, targets, weights=weights, axis_name=axis_name)
        seen = collectives.mean(targets.mean((0, 1, 2)), axis_name)
        prior = prior_momentum * extra["prior"] + (1.0 - prior_momentum) * seen
        return value, Aux({**networks.updates(net), "prior": prior}, {}, pooled)

    def show(params, teacher, extra, batch):
        del teacher
        logits = decode(nets.frozen(params, extra), as_input(batch["lightness"]))[0].astype(jnp.float32)
        targets = views.soft_targets(batch["target"], batch["weight"], len(bins))
        lightness, centres = 50.0 * (batch["lightness"] + 1.0), jnp.asarray(bins, jnp.float32)

        def coloured(probabilities):
            ab = jnp.repeat(jnp.repeat(probabilities @ centres, stride, 1), stride, 2)
            return view.normalize(views.lab_to_rgb(jnp.concatenate([lightness, ab], -1)))

        shown = jnp.zeros_like(targets), jax.nn.softmax(logits / _SHARPNESS), targets
        return tuple(coloured(probabilities) for probabilities in shown)

    normalized = image.prepare(given)

    def prepare(example):
        """The lightness of the picture."""
        augmentation = view.augmentation
        mean, std = (jnp.asarray(x, jnp.float32).reshape(1, 1, 3) for x in (augmentation.mean, augmentation.std))
        pixels = jnp.clip(normalized(example) * std + mean, 0.0, 1.0)
        return as_input(views.rgb_to_lab(pixels)[..., :1] / 50.0 - 1.0)

    return Method(
        "colorization",
        frozenset({"image"}),
        make_views,
        init,
        loss,
        encoders.readouts(nets, prepare),
        coupled="the weights are averaged over the whole batch",
        shows={"Colours": Show("what is seen, the colours that are predicted for it, and the true ones", show)},
    )
