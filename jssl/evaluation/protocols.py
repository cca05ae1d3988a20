"""Several sets of features, several protocols, side by side: the encoder means little without its baselines."""

from collections.abc import Mapping, Sequence

from jssl.diagnostics import collapse
from jssl.evaluation import knn, linear

__all__ = ["PROTOCOLS", "check", "evaluate"]


def _knn(train, train_labels, test, test_labels, num_classes) -> dict[str, float]:
    # 20 neighbours are what DINO reports; 200 suit a bank of a million.
    predicted = knn.predict(train, train_labels, test, k=20, num_classes=num_classes)
    return {"knn": knn.accuracy(predicted, test_labels)}


def _linear(train, train_labels, test, test_labels, num_classes) -> dict[str, float]:
    result = linear.linear_probe(train, train_labels, test, test_labels, num_classes=num_classes)
    return {"linear": result["accuracy"], "linear_train": result["train_accuracy"], "linear_l2": result["l2"]}


def _collapse(train, train_labels, test, test_labels, num_classes) -> dict[str, float]:
    return collapse.summary(test)


PROTOCOLS = {"knn": _knn, "linear": _linear, "collapse": _collapse}
"""Name -> (train features, train labels, test features, test labels, number of classes) -> figures."""


def check(protocols: Sequence[str]) -> None:
    """Raises ValueError if one is unknown."""
    for protocol in protocols:
        if protocol not in PROTOCOLS:
            raise ValueError(f"no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}")


def evaluate(
    features: Mapping[str, tuple],
    train_labels,
    test_labels,
    *,
    protocols: Sequence[str] = ("knn", "linear"),
    num_classes: int,
) -> dict[str, dict[str, float]]:
    """Runs every protocol on every set of features.

    Args:
      features: name -> ((N, D) training features, (M, D) test features); D may differ between names.
      train_labels: (N,) integers in [0, num_classes).
      test_labels: (M,) integers in [0, num_classes).
      protocols: keys of ``PROTOCOLS``.
      num_classes: C.

    Returns:
      name -> figure -> float. Accuracies are shares of the test set.

    Raises:
      ValueError: an unknown protocol, or features and labels that do not fit.

    >>> import numpy as np
    >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    >>> evaluate({"encoder": (x, x)}, y, y, protocols=("knn",), num_classes=2)
    {'encoder': {'knn': 1.0}}
    """
    check(protocols)
    results: dict[str, dict[str, float]] = {}
    for name, (train, test) in features.items():
        results[name] = {}
        for protocol in protocols:
            results[name] |= PROTOCOLS[protocol](train, train_labels, test, test_labels, num_classes)
    return results
