"""Protocols on labels: how well frozen features tell classes apart. Options are keyword arguments with defaults."""

import numpy as np

from jssl import processes
from jssl.evaluation import attentive as attention
from jssl.evaluation import knn, linear
from jssl.evaluation.few_labels import choose
from jssl.evaluation.intervals import over_seeds
from jssl.evaluation.sgd import sgd_probe
from jssl.evaluation.subject import Bank, Encoder, Subject

__all__ = ["attentive", "few_labels", "finetune", "linear_probe", "neighbours"]


def neighbours(
    subject: Subject,
    *,
    k: tuple[int, ...] = (20,),
    temperature: float = 0.07,
    features: str = "",
    target: str = "label",
) -> dict[str, float]:
    """``knn``: weighted votes of the nearest training examples.

    Args:
      subject: what is evaluated.
      k: how many vote. 20 are what DINO reports; 200 suit a bank of a million. All of them from one search.
      temperature: of the votes.
      features: see ``jssl.evaluation.selection``.
      target: the field that is told from the features, ``speaker`` say.

    Returns:
      ``knn``; ``knn_5`` and so on for other ``k`` than 20.
    """
    if min(k) < 1:
        raise ValueError(f"knn: k={min(k)} names no neighbour; use at least 1")
    (train, labels, index), (test, test_labels), count = _labelled(subject, _words(subject, "knn", features), target)
    found = knn.neighbours(train, labels, test, k=max(k), num_classes=count, index=index)
    figures = {}
    for number in k:
        votes = knn.tally(*found, k=number, temperature=temperature, num_classes=count)
        figures["knn" if number == 20 else f"knn_{number}"] = knn.accuracy(votes.argmax(1), test_labels)
    return figures


def linear_probe(
    subject: Subject,
    *,
    solver: str = "lbfgs",
    standardise: bool = True,
    views: int = 0,
    epochs: int = 100,
    batch_size: int = 256,
    seeds: int = 1,
    features: str = "",
    target: str = "label",
) -> dict[str, float]:
    """``linear``: the best linear classifier.

    Args:
      subject: what is evaluated.
      solver: ``lbfgs`` finds the optimum (``jssl.evaluation.linear``); ``sgd`` trains as papers do (``jssl.evaluation.sgd``).
      standardise: the features, by mean and deviation of the training ones.
      views: random crops, perhaps flipped, of each training example, whose features it learns from; 0 takes the example as it
        is. Papers draw new ones every epoch.
      epochs: of ``sgd``, over the training examples, whatever ``views``.
      batch_size: of ``sgd``.
      seeds: draws of what is held out, of the views and of the order.
      features: see ``jssl.evaluation.selection``.
      target: the field that is told from the features, ``speaker`` say.

    Returns:
      ``linear``, ``linear_train``, and what was chosen: ``linear_l2``, or ``linear_rate``.
    """
    if solver not in ("lbfgs", "sgd") or views < 0:
        raise ValueError(f"linear: solver={solver}, views={views}: use lbfgs or sgd, and 0 views or more")
    words = _words(subject, "linear", features)

    def run(seed: int) -> dict[str, float]:
        bank = subject.augmented(target, words, views=views, seed=seed) if views else None
        if solver == "sgd":  # every process trains on all of the examples
            train, labels, index = bank or _whole(subject, words, target)
            _, (test, test_labels), count = _labelled(subject, words, target, bank=(train, labels, index))
            result = sgd_probe(
                train,
                labels,
                test,
                test_labels,
                num_classes=count,
                epochs=max(1, round(epochs / max(views, 1))),
                batch_size=batch_size,
                standardise=standardise,
                seed=seed,
                index=index,
            )
            chosen = {"linear_rate": result["learning_rate"]}
        else:
            (train, labels, index), (test, test_labels), count = _labelled(subject, words, target, bank=bank)
            result = linear.linear_probe(
                train, labels, test, test_labels, num_classes=count, standardise=standardise, seed=seed, index=index
            )
            chosen = {"linear_l2": result["l2"]}
        return {"linear": result["accuracy"], "linear_train": result["train_accuracy"], **chosen}

    return over_seeds(run, seeds)


def few_labels(
    subject: Subject, *, n: tuple[str, ...] = ("1%", "10%"), seeds: int = 5, features: str = "", target: str = "label"
) -> dict[str, float]:
    """``few_labels``: the best linear classifier that a few labels give.

    Args:
      subject: what is evaluated.
      n: how many labels: ``1%`` of every class, or ``10`` of each.
      seeds: draws of the examples that have one.
      features: see ``jssl.evaluation.selection``.
      target: the field that is told from the features, ``speaker`` say.

    Returns:
      ``few_labels_1%`` and so on, with half the width of the 95 % intervals of several draws.
    """
    words = _words(subject, "few_labels", features)
    train, labels, index = _whole(subject, words, target)
    _, (test, test_labels), count = _labelled(subject, words, target, bank=(train, labels, index))

    def run(seed: int) -> dict[str, float]:
        figures = {}
        for amount in n:
            rows = choose(labels, amount, seed=seed)
            result = linear.linear_probe(train[rows], labels[rows], test, test_labels, num_classes=count, seed=seed)
            figures[f"few_labels_{amount}"] = result["accuracy"]
        return figures

    return over_seeds(run, seeds)


def attentive(
    subject: Encoder,
    *,
    epochs: int = 20,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.01,
    batch_size: int = 256,
    seeds: int = 1,
) -> dict[str, float]:
    """``attentive``: one learned query attends to the frozen patches; see ``jssl.evaluation.attentive``.

    Args:
      subject: what is evaluated.
      epochs: over the training examples.
      learning_rate: at the start of the cosine.
      weight_decay: of AdamW.
      batch_size: examples at a time.
      seeds: draws of the initial probe and of the order.

    Returns:
      ``attentive``, ``attentive_train``.
    """
    probe = attention.Recipe(epochs, learning_rate, weight_decay, batch_size)
    count = _num_classes(subject, "label", subject.field("train", "label"), subject.field("test", "label"))
    return over_seeds(lambda seed: attention.evaluate(subject, probe, num_classes=count, seed=seed), seeds)


def finetune(
    subject: Encoder,
    *,
    epochs: int = 20,
    labels: str = "100%",
    learning_rate: float = 1e-3,
    layer_decay: float = 0.75,
    drop_path: float = 0.1,
    weight_decay: float = 0.05,
    mixup: float = 0.0,
    label_smoothing: float = 0.0,
    batch_size: int = 256,
    seeds: int = 1,
) -> dict[str, float]:
    """``finetune``: the whole encoder is trained on labels; a network from scratch on the same ones stands beside it.

    Args:
      subject: what is evaluated.
      epochs: over the examples that have a label.
      labels: how many do, see ``few_labels``.
      learning_rate: the highest, of AdamW with a batch of 256; it grows with the batch.
      layer_decay: factor on the learning rate from one block of a ViT to the one below; 1 from scratch.
      drop_path: chance that an example skips the last block of a ViT.
      weight_decay: of AdamW.
      mixup: both parameters of the beta distribution that two examples are mixed by; 0 mixes none.
      label_smoothing: share of the target spread over all classes.
      batch_size: examples at a time.
      seeds: draws of the labelled examples, the classifier, the order and the crops.

    Returns:
      ``finetune``.
    """
    assert subject.finetune is not None  # asked before
    train = subject.finetune
    return over_seeds(
        lambda seed: train(
            epochs=epochs,
            labels=labels,
            learning_rate=learning_rate,
            layer_decay=layer_decay,
            drop_path=drop_path,
            weight_decay=weight_decay,
            mixup=mixup,
            label_smoothing=label_smoothing,
            batch_size=batch_size,
            seed=seed,
        ),
        seeds,
    )


def _words(subject: Subject, protocol: str, features: str) -> str | None:
    """Which features: those asked for, or the subject's own; a raw input has one kind."""
    return (features or subject.reads.get(protocol)) if isinstance(subject, Encoder) else None


def _labelled(
    subject: Subject, features: str | None, target: str, *, bank: Bank | None = None
) -> tuple[Bank, tuple[np.ndarray, np.ndarray], int]:
    """The bank of labelled training examples, features and labels of the test split, and the number of classes."""
    bank = subject.bank(target, features) if bank is None else bank
    test = subject.features("test", features), subject.field("test", target)
    return bank, test, _num_classes(subject, target, bank[1], test[1])


def _whole(subject: Subject, features: str | None, target: str) -> Bank:
    """All labelled training examples, in every process."""
    train = subject.features("train", features)
    return train, subject.field("train", target), np.arange(len(train))


def _num_classes(subject: Subject, target: str, *labels: np.ndarray) -> int:
    abouts = [subject.source(split).about for split in ("train", "test")]
    names = [{"label": about.class_names, "speaker": about.speakers}.get(target, ()) for about in abouts]
    if all(names) and names[0] != names[1]:
        raise ValueError(f"the splits have other classes: {_some(names[0])}; {_some(names[1])}; their labels differ")
    return len(names[0] or names[1]) or 1 + max(processes.union([int(each.max(initial=0)) for each in labels]))


def _some(names) -> str:
    return f"{', '.join(names[:3])}{' and so on' if len(names) > 3 else ''} ({len(names)})"
