"""Several subjects, several protocols, side by side: an encoder means little without its baselines."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jssl import processes
from jssl.data.source import Spec
from jssl.diagnostics import collapse
from jssl.evaluation import knn, linear, retrieval, zero_shot
from jssl.evaluation.remembered import remembered
from jssl.evaluation.subject import Subject

__all__ = ["PROTOCOLS", "Protocol", "check", "evaluate"]


class Protocol(NamedTuple):
    """A way to turn features into figures.

    Attributes:
      fields: what an example must hold beside what the readouts read.
      readouts: the names of those it needs; none for the default one, whatever its name.
      run: subject -> figures, by name. Accuracies and recalls are shares.
    """

    fields: tuple[str, ...]
    readouts: tuple[str, ...]
    run: Callable[[Subject], dict[str, float]]


def _labelled(subject: Subject) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, np.ndarray], int]:
    """The bank of labelled training examples, features and labels of the test split, and the number of classes."""
    names = [subject.source(split).about.class_names for split in ("train", "test")]
    if all(names) and names[0] != names[1]:
        raise ValueError(f"the splits have other classes: {_some(names[0])}; {_some(names[1])}; their labels differ")
    bank, test = subject.bank("label"), (subject.features("test"), subject.field("test", "label"))
    highest = [int(labels.max(initial=0)) for labels in (bank[1], test[1])]
    return bank, test, len(names[0] or names[1]) or 1 + max(processes.union(highest))


def _some(names) -> str:
    return f"{', '.join(names[:3])}{' and so on' if len(names) > 3 else ''} ({len(names)})"


def _knn(subject: Subject) -> dict[str, float]:
    (train, train_labels, index), (test, test_labels), num_classes = _labelled(subject)
    # 20 neighbours are what DINO reports; 200 suit a bank of a million.
    predicted = knn.predict(train, train_labels, test, k=20, num_classes=num_classes, index=index)
    return {"knn": knn.accuracy(predicted, test_labels)}


def _linear(subject: Subject) -> dict[str, float]:
    (train, train_labels, index), (test, test_labels), num_classes = _labelled(subject)
    result = linear.linear_probe(train, train_labels, test, test_labels, num_classes=num_classes, index=index)
    return {"linear": result["accuracy"], "linear_train": result["train_accuracy"], "linear_l2": result["l2"]}


def _collapse(subject: Subject) -> dict[str, float]:
    return collapse.summary(subject.features("test"))


PROTOCOLS: dict[str, Protocol] = {
    "knn": Protocol(("label",), (), _knn),
    "linear": Protocol(("label",), (), _linear),
    "collapse": Protocol((), (), _collapse),
    "zero_shot": Protocol(("label",), ("image", "text"), zero_shot.evaluate),
    "retrieval": Protocol(("captions",), ("image", "text"), retrieval.evaluate),
}


def check(names: str | Sequence[str], subject=None, spec: Spec | None = None, *, data: str = "the data") -> list[str]:
    """What can be known before minutes are spent on features.

    Args:
      names: of protocols, or one text with commas between them.
      subject: a method or a ``Subject``, with ``name`` and ``readouts``; None asks nothing of it.
      spec: of the data; None asks nothing of them.
      data: what messages call the data.

    Returns:
      The names, without blanks and each once.

    Raises:
      ValueError: an unknown protocol, or one that needs a readout or a field that is not there.

    >>> check("knn, linear")
    ['knn', 'linear']
    """
    names = names.split(",") if isinstance(names, str) else names
    names = list(dict.fromkeys(name.strip() for name in names))
    for name in names:
        if name not in PROTOCOLS:
            raise ValueError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
        protocol = PROTOCOLS[name]
        if subject is not None and not _reads(protocol, subject):
            needs, has = " and ".join(protocol.readouts), " and ".join(subject.readouts) or "none by name"
            raise ValueError(f"{name} needs the readouts {needs}; {subject.name} has {has}")
        for field in protocol.fields:
            if spec is not None and field not in spec:
                raise ValueError(f"{name} needs {_plural(field)}; {data} has none")
    return names


def _reads(protocol: Protocol, subject) -> bool:
    return set(protocol.readouts) <= set(subject.readouts)


def _plural(field: str) -> str:
    return field if field.endswith("s") else field + "s"


def evaluate(
    subjects: Mapping[str, Subject], *, protocols: str | Sequence[str] = ("knn", "linear")
) -> dict[str, dict[str, float]]:
    """Runs every protocol on every subject that has the readouts for it; what is known of a subject's ``key`` is remembered.

    Args:
      subjects: name -> what is evaluated.
      protocols: keys of ``PROTOCOLS``, see ``check``.

    Returns:
      name -> figure -> float. A subject without the readouts of a protocol, as the raw input has none for text, lacks
      its figures.

    Raises:
      ValueError: an unknown protocol, one that no subject has the readouts for, a field that the data lack.
    """
    names = check(protocols)
    results: dict[str, dict[str, float]] = {name: {} for name in subjects}
    for protocol in names:
        able = [subject for subject in subjects.values() if _reads(PROTOCOLS[protocol], subject)]
        for subject in able or subjects.values():
            check([protocol], subject, subject.spec)
    for name, subject in subjects.items():
        for protocol in names:
            if _reads(PROTOCOLS[protocol], subject):
                run, key = functools.partial(PROTOCOLS[protocol].run, subject), subject.key
                results[name] |= run() if key is None else remembered([*key, protocol], run)
    return results
