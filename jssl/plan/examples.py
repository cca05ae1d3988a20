"""What a run's examples will look like, without reading them: a run is planned where its data need not be."""

from typing import Any

import jax
import numpy as np

from jssl import data, methods
from jssl.data import About
from jssl.data.card import Card
from jssl.data.images.encoded import CANVAS
from jssl.data.recordings.video import heard, pace
from jssl.data.registry import parse_spec
from jssl.data.text import tokenizers

__all__ = ["foresee"]

PICTURES = ("tar", "folder", "files", "tfds", "idx", "captions")
FORESEEN = (*PICTURES, "text", "video", "audio")
"""Kinds whose options say what an example will look like."""
KNOWN = {
    "imagenet2012": (1_281_167, 1000, CANVAS),
    "cifar10": (50_000, 10, 32),
    "cifar100": (50_000, 100, 32),
    "mnist": (60_000, 10, 28),
}
"""Data sets of TFDS: training examples, classes, and the side of the canvas that they get."""


def foresee(config, num_examples: int | None = None) -> Card:
    """The card of a run's training data.

    Args:
      config: see ``jssl.config.default_config``.
      num_examples: how many there will be. With it, and for data sets of TFDS that everybody knows, nothing is opened:
        pictures, clips, sounds, captions and rows of text are then as the source's options say.

    Raises:
      ValueError: the data cannot be opened and its size was not given, or its options do not say what it will look like.

    >>> from jssl.config import load_config
    >>> card = foresee(load_config("mae:vit_base", []))
    >>> card.num_examples, card.spec["image"].shape
    (1281167, (256, 256, 3))
    """
    kind, path, options = parse_spec(config.data.source)
    name = path.partition(":")[0].partition("/")[0]
    known = KNOWN.get(name) if kind == "tfds" else None
    if num_examples is None and known is None:
        try:
            return Card.of(data.open_source(config.data.source, "train"))
        except (ValueError, OSError) as error:
            raise ValueError(
                f"{error}; to plan without the data, say how much there will be: --num-examples"
            ) from error
    count, classes, side = known or (0, 1000, 28 if kind == "idx" else CANVAS)
    fields, about = _fields(kind, {"image_size": side, **options}, config, classes)
    spec = {field: jax.ShapeDtypeStruct(shape, dtype) for field, (shape, dtype) in fields.items()}
    return Card(spec, about, num_examples or count)


def _fields(kind: str, options: dict, config, classes: int):
    """(name -> (shape, dtype), what is known of the data set)."""
    if kind not in FORESEEN:
        source = data.open_source(config.data.source, "train")  # made by code, or a kind of the user's own
        return {name: (field.shape, field.dtype) for name, field in source.spec.items()}, source.about
    fields: dict[str, tuple[tuple[int, ...], Any]] = {}
    about: dict[str, Any] = {}
    if kind in PICTURES:
        side = options["image_size"]
        fields |= {"image": ((side, side, 3), np.uint8), "size": ((2,), np.int32)}
    if kind == "video":
        side = options["image_size"]
        frames, sound = options.get("frames", 16), options.get("sound", 0)
        fields |= {"video": ((frames, side, side, 3), np.uint8), "size": ((2,), np.int32)}
        if sound:
            pace(options.get("stride"), options.get("fps"), sound)
            fields |= {"audio": ((heard(frames, options["fps"], sound),), np.int16), "length": ((), np.int32)}
            about["sample_rate"] = sound
    if kind == "audio":
        rate = options.get("rate", 16_000)
        fields |= {"audio": ((round(rate * options.get("seconds", 10.0)),), np.int16), "length": ((), np.int32)}
        about["sample_rate"] = rate
    if kind in ("text", "captions"):
        tokenizer = tokenizers.make(options.get("tokenizer", "bytes"))
        about |= {"vocabulary": tokenizer.vocabulary, "tokenizer": tokenizer.spec}
    if kind == "text":
        row = (options.get("length", 256),)
        fields |= {"tokens": (row, np.int32), "segments": (row, np.int32)}
    elif kind == "captions":
        fields["captions"] = ((options.get("captions", 1), options.get("length", 128)), np.int32)
    if kind in ("idx", "tfds") or "label" in methods.find(config.method.name).fields:
        fields["label"] = ((), np.int32)
        about["class_names"] = tuple(map(str, range(classes)))
    return fields, About(**about)
