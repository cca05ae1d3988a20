"""``jssl study clip``: what a model of pictures and captions names without labels, beside what labels teach, class by class."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jssl.data import Source
from jssl.data.text import tokenizers
from jssl.evaluation import Encoder, linear, zero_shot
from jssl.evaluation import protocols as suite
from jssl.report.evaluate import table
from jssl.report.finetune import FineTuning
from jssl.report.grid import image_grid, save_png
from jssl.report.run import load_run
from jssl.study.frame import Run, Study, sources

__all__ = ["STUDY", "failures", "per_class"]

DATA = "synthetic:num_examples=4000,captions=6,caption_length=80"
STEPS = 300
FEW = "10"
"""Labels of each class that a supervised network is given in place of all."""
FEW_TRAINED = {"epochs": 40, "batch_size": 20, "learning_rate": 0.01}
"""How that network is trained: small batches, so that few pictures are more steps than epochs; the rate is for 256."""
SHOWN = 8
"""Failures that are told of."""


def rows(data: str | None, full: bool) -> Sequence[Run]:
    """CLIP, and the same network of pictures trained on labels, with as many steps of as many pictures."""
    if full:
        labelled = "tfds:imagenet2012"
        changes = (f"data.source={labelled}", "data.feed=grain", "data.batch_size=1024", "steps=90 epochs")
        pictures = ("method.encoder.name=resnet50", "method.encoder.stem=imagenet", "method.image.size=224")
        paired = (f"data.source={data}",) if data else ()
        return (
            Run("clip", "CLIP, ViT-B/16", "clip:vit_base,pairs", paired, on=labelled),
            Run("supervised", "ResNet-50 on labels", "supervised:resnet18,cifar10", (*changes, *pictures)),
        )
    changes = (f"data.source={data or DATA}", f"steps={STEPS}", "data.batch_size=64", "run.eval_every=0")
    crops = ("method.image.size=32", "method.image.augment.crop_scale=(0.6, 1.0)")
    return (
        Run("clip", "CLIP", "clip:small,captions", changes),
        Run("supervised", "the same network on labels", "supervised:small,synthetic", (*changes, *crops)),
    )


def measure(row: Run, folder: pathlib.Path) -> dict:
    """What is found of a run.

    Returns:
      ``says``; ``accuracy``, ways to a class -> share of the test pictures; ``per_class``, the same ways -> class -> share; of
      CLIP ``failures``, see there, whose pictures are in ``failures.png`` in the same order.
    """
    loaded = load_run(folder)
    splits = sources(loaded, row.on)
    encoder = loaded.encoder(splits)
    labels, names = encoder.field("test", "label"), splits["test"].about.class_names
    found: dict[str, Any] = {"says": row.says}
    if "text" in encoder.readouts:
        said = zero_shot.class_features(encoder)
        cosines = encoder.features("test", "image") @ said.T  # both are of unit length
        found["failures"] = failures(splits["test"], cosines, labels)
        if found["failures"]:
            pictures = [splits["test"][each["index"]]["image"] for each in found["failures"]]
            save_png(folder / "failures.png", image_grid([pictures], scale=max(1, 96 // len(pictures[0]))))
        figures = suite.evaluate({"encoder": encoder}, protocols=f"linear,few_labels:n={FEW}")["encoder"]
        chosen = {"zero-shot": cosines.argmax(1), "linear probe": _linear(encoder, len(names), figures["linear_l2"])}
        found["accuracy"] = {"linear probe, 10 labels a class": figures[f"few_labels_{FEW}"]}
    else:
        chosen = {"supervised": encoder.features("test", "classifier").argmax(1)}
        few = {**suite.PROTOCOLS["finetune"].options, **FEW_TRAINED, "labels": FEW, "seed": 0}
        del few["seeds"]
        tuned = FineTuning(loaded, splits).supervised(few)
        chosen["supervised, 10 labels a class"] = tuned.features("test", "classifier").argmax(1)
        found["accuracy"] = {}
    ways = {way: per_class(picked, labels, names) for way, picked in chosen.items()}
    found["accuracy"] = {way: float(np.mean(chosen[way] == labels)) for way in ways} | found["accuracy"]
    return {**found, "per_class": ways}


def per_class(chosen: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Share of each class's examples that are called by its name; a class without examples has none.

    Args:
      chosen: (N,) integers, what each is called.
      labels: (N,) integers, what it is.
      names: of the classes.

    >>> per_class(np.array([0, 1, 1]), np.array([0, 0, 1]), ("circle", "square"))
    {'circle': 0.5, 'square': 1.0}
    """
    counted = {name: labels == number for number, name in enumerate(names)}
    return {name: float(np.mean(chosen[own] == labels[own])) for name, own in counted.items() if own.any()}


def failures(source: Source, cosines: np.ndarray, labels: np.ndarray, *, count: int = SHOWN) -> list[dict]:
    """The pictures that are surest to be called by a wrong name: the name's cosine is furthest above that of the right one.

    Args:
      source: N examples with ``captions`` if they have any; classes have names.
      cosines: (N, C) of each picture and each class's name.
      labels: (N,) integers.
      count: how many, at most.

    Returns:
      dicts of ``index``, ``caption`` (the first, or ""), ``is``, ``called``, and the cosines of both.
    """
    right = cosines[np.arange(len(labels)), labels]
    margin = cosines.max(1) - right
    order = np.argsort(-margin, kind="stable")[: min(count, int((margin > 0).sum()))]
    names, spec = source.about.class_names, source.about.tokenizer
    read = tokenizers.make(spec).decode if spec and "captions" in source.spec else lambda ids: ""
    return [
        {
            "index": int(i),
            "caption": read(source[int(i)]["captions"][0]) if "captions" in source.spec else "",
            "is": names[labels[i]],
            "called": names[cosines[i].argmax()],
            "cosine": float(right[i]),
            "cosine_called": float(cosines[i].max()),
        }
        for i in order
    ]


def _linear(encoder: Encoder, classes: int, l2: float) -> np.ndarray:
    """(N,) what the linear probe of the strength that was chosen calls the test examples."""
    train, test = (jnp.asarray(encoder.features(split)) for split in ("train", "test"))
    train, test = linear.standardised(train, jnp.ones(len(train)), test)
    solution, _ = linear.fit(train, encoder.field("train", "label"), l2=l2, num_classes=classes)
    return np.asarray(test @ solution["kernel"] + solution["bias"][None]).argmax(1)


def markdown(found: dict) -> str:
    """Ways to a class x accuracy of all and of each class, %; then the failures."""
    ways: dict[str, Mapping[str, float]] = {}
    for row in found["rows"]:
        for way, accuracy in row["accuracy"].items():
            ways[way] = {"all": 100 * accuracy} | {c: 100 * v for c, v in row["per_class"].get(way, {}).items()}
    parts = [table({way: {c: f"{v:.1f}" for c, v in ways[way].items()} for way in ways}, head="% right")]
    for row in found["rows"]:
        if row.get("failures"):
            told = {
                f"{each['index']}, a {each['is']}": {
                    "called": each["called"],
                    "cosine": each["cosine_called"],
                    "cosine of the right name": each["cosine"],
                    "its caption": each["caption"],
                }
                for each in row["failures"]
            }
            parts.append(table(told, head=f"{row['says']}: surest of a wrong name"))
    return "\n\n".join(parts)


def _line(row: dict) -> str:
    return ", ".join(f"{way} {100 * accuracy:.1f} %" for way, accuracy in row["accuracy"].items())


STUDY = Study(rows, measure, markdown, _line)
