"""Linear probe by gradient descent: near the optimum, and chosen by examples that no classifier saw."""

import numpy as np
import pytest

from jssl.evaluation import linear_probe
from jssl.evaluation.sgd import sgd_probe


def blobs(seed, n, spread):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    centres = 3.0 * np.random.default_rng(99).normal(size=(3, 5))
    return (centres[labels] + spread * rng.normal(size=(n, 5))).astype(np.float32), labels


@pytest.mark.slow
def test_it_comes_near_the_optimum():
    (x, y), (test_x, test_y) = blobs(0, 300, 3.0), blobs(1, 500, 3.0)
    best = linear_probe(x, y, test_x, test_y, num_classes=3)["accuracy"]
    found = sgd_probe(x, y, test_x, test_y, num_classes=3, epochs=20, batch_size=32)
    assert abs(found["accuracy"] - best) < 0.05 and found["train_accuracy"] > 0.6


def test_standardising_is_what_offsets_need():
    (x, y), (test_x, test_y) = blobs(0, 300, 0.5), blobs(1, 300, 0.5)
    options = {"num_classes": 3, "epochs": 5, "batch_size": 32, "learning_rates": (0.3,)}
    with_it, without = (
        sgd_probe(x + 300, y, test_x + 300, test_y, standardise=on, **options)["accuracy"] for on in (True, False)
    )
    assert with_it > 0.98 > 0.9 > without


def test_the_rate_is_chosen_by_what_was_held_out_and_not_by_the_test_set():
    x, y = blobs(0, 200, 3.0)
    runs = [sgd_probe(x, y, x, labels, num_classes=3, epochs=5, batch_size=32) for labels in (y, (y + 1) % 3)]
    assert runs[0]["learning_rate"] == runs[1]["learning_rate"] and runs[0]["accuracy"] > 0.6 > runs[1]["accuracy"]
    # A rate of zero learns nothing: another must be chosen, wherever it stands.
    for rates in ((0.0, 0.3), (0.3, 0.0)):
        assert sgd_probe(x, y, x, y, num_classes=3, epochs=5, learning_rates=rates)["learning_rate"] == 0.3


def test_views_of_one_example_are_held_out_together():
    x, y = blobs(0, 20, 0.5)
    noise = np.random.default_rng(0).integers(0, 3, 20)  # labels that only memory can tell
    index, wide = np.tile(np.arange(20), 30), np.tile(np.eye(20, dtype=np.float32), (30, 1))
    options = {"num_classes": 3, "learning_rates": (0.0, 1.0), "held_out": 0.5, "epochs": 20, "standardise": False}
    together = sgd_probe(wide, np.tile(noise, 30), x @ np.ones((5, 20), np.float32), y, index=index, **options)
    apart = sgd_probe(wide, np.tile(noise, 30), x @ np.ones((5, 20), np.float32), y, **options)
    assert apart["train_accuracy"] == 1.0 > together["train_accuracy"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"epochs": 0}, "epochs=0"), ({"held_out": 1.0}, "held_out=1.0"), ({"learning_rates": ()}, "0 learning rates")],
)
def test_numbers_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sgd_probe(np.eye(3), np.arange(3), np.eye(3), np.arange(3), num_classes=3, **options)
