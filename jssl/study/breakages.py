"""Methods that are broken on purpose. They have names of their own, which are known while ``registered`` lasts.

No method of the library has an option for it: a breakage takes a method's record and replaces a part of it. What an option does
break (a temperature, a mask, a momentum) needs no method here.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping

import jax
import jax.numpy as jnp

from jssl import collectives, objectives, views
from jssl.data.registry import _KINDS
from jssl.methods import REGISTRY, encoders, find
from jssl.methods.heads import mlp
from jssl.methods.joint_embedding import joint_embedding
from jssl.methods.method import Method
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput
from jssl.methods.registry import Entry
from jssl.study.patterns import Patterns

__all__ = ["BROKEN", "registered"]

_RESNET = {"name": "resnet18"}

TAG_ROWS = 2
"""Rows of pixels, from the top, that a tag takes."""


def same_views(method: Method) -> Method:
    """Both views of a picture are the same one."""

    def make(key, example):
        made = method.views(key, example)
        return {**made, "views": jnp.stack([made["views"][0]] * 2)}

    return dataclasses.replace(method, views=make)


def tagged(method: Method) -> Method:
    """Every picture carries a tag that tells it from all others, in both views and where it is read: two colours along the upper
    edge, after the augmentation, which are a function of its pixels.

    Bits beside the picture that both views share do the same to contrastive learning: Chen, Luo and Li 2021, arXiv:2011.02803,
    section 4.
    """

    def make(key, example):
        made = method.views(key, example)
        return {**made, "views": stamp(example, made["views"])}

    def read(readout):
        return readout._replace(prepare=lambda example: stamp(example, readout.prepare(example)))

    readouts = {name: read(readout) for name, readout in method.readouts.items()}
    return dataclasses.replace(method, views=make, readouts=readouts)


def stamp(example: Mapping, pictures: jax.Array) -> jax.Array:
    """(..., S, S, 3) normalised pictures with the tag of the example that they show."""
    mark = jnp.sum(example["image"].astype(jnp.uint32))
    colours = 2 * jax.random.normal(jax.random.fold_in(jax.random.key(0), mark), (2, 3))
    half = pictures.shape[-2] // 2
    return jnp.asarray(pictures).at[..., :TAG_ROWS, : 2 * half, :].set(jnp.repeat(colours, half, axis=0))


def without_centring(method: Method) -> Method:
    """The centre of the targets stays at zero."""

    def update(extra, updates):
        return {**method.update_extra(extra, updates), "center": extra["center"]}

    return dataclasses.replace(method, update_extra=update)


def byol_without_stop_gradient(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    projector: tuple[int, ...] = (4096, 256),
    predictor: tuple[int, ...] = (4096, 256),
) -> Method:
    """BYOL's networks, views and loss, but the target is the online network's own projection, which is trained, too.

    Args:
      given, image, encoder, projector, predictor: see ``jssl.methods.siamese.byol``.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype),
        predictor=mlp(predictor, given.dtype),
    )

    def attract(prediction, target):
        prediction, target = objectives.l2_normalize(prediction), objectives.l2_normalize(target)
        return jnp.mean(jnp.sum((prediction - target) ** 2, axis=1))

    def compare(outputs, targets, labels, axis_name):
        (p_a, p_b), (z_a, z_b) = outputs["predictor"], outputs["projector"]
        return collectives.mean(attract(p_a, z_b) + attract(p_b, z_a), axis_name)

    return joint_embedding(
        "byol_without_stop_gradient",
        given,
        image,
        (image.view(given, views.byol, 0), image.view(given, views.byol, 1)),
        nets,
        compare=compare,
    )


def _broken(method: str, name: str, change: Callable[[Method], Method]) -> Entry:
    """The entry of a method whose record is changed."""
    entry = find(method)

    @functools.wraps(entry.build)  # the options are the same
    def build(given, **options):
        return dataclasses.replace(change(entry.build(given, **options)), name=name)

    return entry._replace(build=build)


BROKEN: dict[str, Entry] = {
    "simclr_same_views": _broken("simclr", "simclr_same_views", same_views),
    "simclr_tagged": _broken("simclr", "simclr_tagged", tagged),
    "dino_without_centring": _broken("dino", "dino_without_centring", without_centring),
    "byol_without_stop_gradient": find("byol")._replace(build=byol_without_stop_gradient, carries=("predictor",)),
}
"""Name -> entry."""


@contextlib.contextmanager
def registered() -> Iterator[None]:
    """The broken methods, and the data ``patterns:``, are known by name as long as it lasts: no list of the library has them.

    >>> from jssl import methods
    >>> with registered():
    ...     methods.find("simclr_tagged").carries
    ()
    >>> "simclr_tagged" in methods.REGISTRY
    False
    """
    REGISTRY.update(BROKEN)
    _KINDS["patterns"] = Patterns
    try:
        yield
    finally:
        for name in BROKEN:
            REGISTRY.pop(name, None)
        _KINDS.pop("patterns", None)
