"""What CLIP and SigLIP share: a tower for pictures and one for captions."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jssl import views
from jssl.methods import encoders
from jssl.methods.method import Method
from jssl.methods.options import Given, ImageInput
from jssl.methods.pairs.two_towers import Scale, Tower, two_towers


def captioned(
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
    """Builds the method record of pictures and their captions, of which one is drawn per step.

    Args:
      name: of the method.
      given: the data.
      image: how pictures enter; ``augment`` changes crops of at least half the picture, without flips: captions say
        which side things are on.
      image_encoder: see ``encoders.make``.
      text_encoder: see ``encoders.make``.
      width: of the common space.
      scale: of the similarities.
      compare: see ``two_towers``; the pictures are first.
    """
    told = {"vocabulary": given.about.vocabulary, "length": given.spec["captions"].shape[1], "causal": False}
    pictures = Tower(
        name="image",
        network=encoders.make("image", image_encoder, image_size=image.size, dtype=given.dtype),
        field="image",
        view=image.view(given, views.mae, crop_scale=(0.5, 1.0), flip_prob=0.0),
        prepare=image.prepare(given),
        features=lambda net, images: net("image", images).pooled,
    )
    texts = Tower(
        name="text",
        network=encoders.make("tokens", text_encoder, **told, dtype=given.dtype),
        field="caption",
        view=_one_caption,
        prepare=lambda example: example["captions"][0],
        # Captions are padded with 0.
        features=lambda net, tokens: net("text", tokens, segments=(tokens != 0).astype(jnp.int32)).pooled,
    )
    fields = frozenset({"image", "captions"})
    return two_towers(
        name, pictures, texts, fields=fields, width=width, scale=scale, compare=compare, dtype=given.dtype
    )


def _one_caption(key, example):
    captions = example["captions"]
    given_ones = jnp.sum(jnp.any(captions != 0, -1).astype(jnp.int32))  # those that are not there are zeros
    return captions[jax.random.randint(key, (), 0, jnp.maximum(given_ones, 1))]
