"""Rotation, relative position and jigsaw: name what was done to the pieces of an image.

All three put one or more pieces of an image through one encoder and classify the concatenated features.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jssl import collectives, objectives, views
from jssl.methods import networks
from jssl.methods.method import Aux, Method
from jssl.methods.registry import register


def pretext(
    name: str, make_views: Callable, *, encoder, image_size: int, num_classes: int, classifier: tuple[int, ...], dtype
) -> Method:
    """The method record of a task whose views are {"pieces": (P, s, s, 3), "label": ()}.

    Args:
      name: of the method.
      make_views: (key, example) -> views.
      encoder: options of ``networks.make_encoder``.
      image_size: side of a piece, pixels.
      num_classes: answers.
      classifier: widths of the hidden layers between the pieces' features and the answer.
      dtype: compute dtype.
    """
    stack = {"encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder)}
    head = {"classifier": networks.make_mlp(*classifier, num_classes, dtype=dtype)}

    def pieces_first(batch):
        return jnp.swapaxes(batch["pieces"], 0, 1)

    def joined(features):
        """(P, B, D) -> (B, P * D)."""
        return jnp.swapaxes(features, 0, 1).reshape(features.shape[1], -1)

    def init(key, batch):
        encoder_key, head_key = jax.random.split(key)
        pieces = pieces_first(batch)
        params, batch_stats = networks.init(stack, encoder_key, pieces[0])
        outputs, _ = networks.forward_together(stack, params, batch_stats, pieces)
        head_params, head_stats = networks.init(head, head_key, joined(outputs["encoder"]))
        return params | head_params, {"batch_stats": batch_stats | head_stats}

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        outputs, batch_stats = networks.forward_together(
            stack, params, extra["batch_stats"], pieces_first(batch), keys=keys, axis_name=axis_name
        )
        answers, head_stats = networks.forward(
            head, params, extra["batch_stats"], joined(outputs["encoder"]), keys=keys, axis_name=axis_name
        )
        logits = answers["classifier"]
        value = objectives.cross_entropy_loss(logits, batch["label"], axis_name=axis_name)
        correct = (logits.argmax(-1) == batch["label"]).astype(jnp.float32).mean()
        metrics = {"accuracy": collectives.mean(correct, axis_name)}
        return value, Aux({"batch_stats": batch_stats | head_stats}, metrics, outputs["encoder"][0])

    return Method(
        name,
        make_views,
        init,
        loss,
        update_extra=lambda extra, updates: networks.mean_over_micro_batches(updates),
        encode=networks.encode_with(stack["encoder"]),
        coupled=networks.coupled(stack | head),
    )


@register(
    "rotation",
    paper="Gidaris et al., Unsupervised Representation Learning by Predicting Image Rotations, arXiv:1803.07728",
    golden="formula",
)
def build_rotation(
    *, encoder, image_size: int, dtype=jnp.float32, augmentation=None, classifier: tuple[int, ...] = ()
) -> Method:
    """Builds rotation prediction: one of the four quarter turns per view (the paper feeds all four of each image).

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crop, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.mae``.
      classifier: widths of the hidden layers of the classifier.
    """
    augment = views.mae(image_size, **(augmentation or {}))

    def make_views(key, example):
        crop_key, turn_key = jax.random.split(key)
        image, label = views.rotation(turn_key, augment(crop_key, example["image"]))
        return {"pieces": image[None], "label": label}

    return pretext(
        "rotation",
        make_views,
        encoder=encoder,
        image_size=image_size,
        num_classes=4,
        classifier=classifier,
        dtype=dtype,
    )


@register(
    "relative_position",
    paper="Doersch et al., Unsupervised Visual Representation Learning by Context Prediction, arXiv:1505.05192",
    golden="formula",
)
def build_relative_position(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    patch: int = 8,
    gap: int = 2,
    jitter: int = 1,
    color: str = "projection",
    classifier: tuple[int, ...] = (512,),
) -> Method:
    """Builds relative patch position: on which of eight sides of one patch does another lie?

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crop that the patches are cut from, pixels.
      dtype: compute dtype.
      augmentation: changes to the crop, which by default takes the whole image and does not flip.
      patch: side of the patches.
      gap: pixels between them.
      jitter: largest displacement of each, below the gap.
      color: guard against chromatic aberration, ``"projection"`` or ``"dropping"``.
      classifier: widths of the hidden layers of the classifier.
    """
    augment = views.mae(
        image_size, **{"crop_scale": (1.0, 1.0), "crop_ratio": (1.0, 1.0), "flip_prob": 0.0, **(augmentation or {})}
    )

    def make_views(key, example):
        crop_key, pair_key = jax.random.split(key)
        image = augment.pixels(crop_key, example["image"])
        pair = views.relative_position(pair_key, image, patch=patch, gap=gap, jitter=jitter, color=color)
        return {"pieces": jnp.stack([pair["center"], pair["neighbor"]]), "label": pair["label"]}

    return pretext(
        "relative_position",
        make_views,
        encoder=encoder,
        image_size=patch,
        num_classes=8,
        classifier=classifier,
        dtype=dtype,
    )


@register(
    "jigsaw",
    paper="Noroozi & Favaro, Unsupervised Learning by Solving Jigsaw Puzzles, arXiv:1603.09246",
    golden="formula",
)
def build_jigsaw(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    grid: int = 3,
    tile: int = 8,
    num_permutations: int = 100,
    classifier: tuple[int, ...] = (512,),
) -> Method:
    """Builds jigsaw puzzles: which of a set of far-apart permutations shuffled the tiles?

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crop that the tiles are cut from, pixels.
      dtype: compute dtype.
      augmentation: changes to the crop, which by default takes the whole image and does not flip.
      grid: tiles per side.
      tile: side of a tile, smaller than its cell: it is cut from a random place in it.
      num_permutations: answers.
      classifier: widths of the hidden layers of the classifier.
    """
    augment = views.mae(
        image_size, **{"crop_scale": (1.0, 1.0), "crop_ratio": (1.0, 1.0), "flip_prob": 0.0, **(augmentation or {})}
    )
    permutations = views.jigsaw_permutations(num_permutations, grid**2)

    def make_views(key, example):
        crop_key, tile_key = jax.random.split(key)
        image = augment.pixels(crop_key, example["image"])
        puzzle = views.jigsaw(tile_key, image, grid=grid, tile=tile, permutations=permutations)
        return {"pieces": puzzle["tiles"], "label": puzzle["label"]}

    return pretext(
        "jigsaw",
        make_views,
        encoder=encoder,
        image_size=tile,
        num_classes=num_permutations,
        classifier=classifier,
        dtype=dtype,
    )
