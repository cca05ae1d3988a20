"""Zero-shot classification: an image belongs to the class whose name, in words, is most like it."""

from collections.abc import Sequence

import numpy as np

from jssl.evaluation.knn import accuracy, nearest
from jssl.evaluation.subject import Subject
from jssl.evaluation.texts import Texts, tokenise

__all__ = ["TEMPLATES", "class_features", "evaluate", "prompts"]

TEMPLATES = ("{}", "a {}", "a picture of a {}", "a photo of a {}")
"""What a class is called in words; the braces stand for its name."""


def evaluate(subject: Subject, *, templates: Sequence[str] = TEMPLATES) -> dict[str, float]:
    """Share of the test images whose most similar class, by cosine to ``class_features``, is their label.

    Args:
      subject: with the readouts ``image`` and ``text``, and labels with class names.
      templates: see ``class_features``.

    Returns:
      ``{"zero_shot": accuracy}``.

    Raises:
      ValueError: classes without names, or no tokenizer.

    References: Radford et al. 2021, arXiv:2103.00020, section 3.1. The authors have 80 templates for ImageNet.
    """
    classes = class_features(subject, templates)
    predicted = nearest(classes, subject.features("test", "image"), k=1)[:, 0]
    return {"zero_shot": accuracy(predicted, subject.field("test", "label"))}


def class_features(subject: Subject, templates: Sequence[str] = TEMPLATES) -> np.ndarray:
    """One direction per class: the mean of the normalised features of its prompts, normalised again.

    Args:
      subject: with a ``text`` readout.
      templates: each with ``{}`` where the name of the class goes; more of them average out what each adds.

    Returns:
      (C, D) float32.
    """
    names = subject.about.class_names
    if not names:
        raise ValueError("zero_shot needs the names of the classes; the data have none")
    if subject.text is None:
        raise ValueError("zero_shot needs a tokenizer and the length of a text; neither the data nor the run has them")
    tokens = tokenise(prompts(names, templates), *subject.text)
    features = _unit(subject.encode("text", Texts(tokens)))
    return _unit(features.reshape(len(names), len(templates), -1).mean(1))


def prompts(class_names: Sequence[str], templates: Sequence[str] = TEMPLATES) -> list[str]:
    """Every template filled with every name, class by class; underscores become spaces.

    Raises:
      ValueError: a template without ``{}``, or no template.

    >>> prompts(["red_fox", "cat"], ["{}", "a {}"])
    ['red fox', 'a red fox', 'cat', 'a cat']
    """
    if not templates:
        raise ValueError("zero_shot needs a template; '{}' is the name alone")
    for template in templates:
        if "{}" not in template:
            raise ValueError(f"template {template!r} has no {{}}, where the name of the class goes")
    return [template.replace("{}", name.replace("_", " ")) for name in class_names for template in templates]


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), np.float32(1e-12))
