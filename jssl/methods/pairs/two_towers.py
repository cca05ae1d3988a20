"""What CLIP and SigLIP share: a tower for pictures and one for captions, which meet in one space."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.heads import linear
from jssl.methods.method import Aux, Method, Readout
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput
from jssl.models import Features


class Scale(nn.Module):
    """The learnt scale of similarities, exp(t), and a bias.

    Attributes:
      scale: at the start.
      bias: at the start.
      largest: the scale is cut off there.
    """

    scale: float
    bias: float
    largest: float

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array]:
        """(scale, bias), float32 scalars."""
        log_scale = self.param("log_scale", nn.initializers.constant(math.log(self.scale)), (), jnp.float32)
        bias = self.param("bias", nn.initializers.constant(self.bias), (), jnp.float32)
        return jnp.exp(jnp.minimum(log_scale, math.log(self.largest))), bias


def two_towers(
    name: str,
    given: Given,
    image: ImageInput,
    image_encoder: object,
    text_encoder: object,
    *,
    width: int,
    scale: Scale,
    compare: Callable,
) -> Method:
    """Builds the method record.

    Args:
      name: of the method.
      given: the data.
      image: how pictures enter; ``augment`` changes crops of at least half the picture, without flips: captions say
        which side things are on.
      image_encoder: see ``encoders.make``.
      text_encoder: see ``encoders.make``.
      width: of the common space.
      scale: of the similarities.
      compare: (image (B, D), text (B, D), scale, bias, axis_name) -> loss, of normalised features.
    """
    _, length = given.spec["captions"].shape
    told = {"vocabulary": given.about.vocabulary, "length": length, "causal": False, "dtype": given.dtype}
    nets = Networks(
        image=encoders.make("image", image_encoder, image_size=image.size, dtype=given.dtype),
        image_projection=linear(width, given.dtype),
        text=encoders.make("tokens", text_encoder, **told),
        text_projection=linear(width, given.dtype),
        scale=scale,
    )
    view = image.view(given, views.mae, crop_scale=(0.5, 1.0), flip_prob=0.0)

    def make_views(key, example):
        image_key, caption_key = jax.random.split(key)
        captions = example["captions"]
        given_ones = jnp.sum(jnp.any(captions != 0, -1).astype(jnp.int32))  # those that are not there are zeros
        chosen = jax.random.randint(caption_key, (), 0, jnp.maximum(given_ones, 1))
        return {"image": view(image_key, example), "caption": captions[chosen]}

    def of_image(net, images):
        return objectives.l2_normalize(net.chain(["image", "image_projection"], images)["image_projection"])

    def of_text(net, tokens):
        features = net("text", tokens, segments=(tokens != 0).astype(jnp.int32))  # captions are padded with 0
        return objectives.l2_normalize(net("text_projection", features.pooled))

    def forward(net, batch):
        return of_image(net, batch["image"]), of_text(net, batch["caption"]), *net("scale")

    def init(key, batch):
        return nets.init(key, lambda net: forward(net, batch))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        images, texts, factor, bias = forward(net, batch)
        value = compare(images, texts, factor, bias, axis_name)
        return value, Aux(networks.updates(net), {"scale": factor}, images)

    def readout(of):
        return lambda params, extra, inputs: Features(of(nets.frozen(params, extra), inputs))

    return Method(
        name,
        frozenset({"image", "captions"}),
        make_views,
        init,
        loss,
        {
            "image": Readout(image.prepare(given), readout(of_image)),
            "text": Readout(lambda example: example["captions"][0], readout(of_text)),
        },
        coupled="the other examples of the batch are the negatives",
        fewest=2,
    )
