"""Linear probe by stochastic gradient descent, as the papers of MoCo, MAE and DINO train it."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jssl.evaluation._checks import labelled
from jssl.evaluation.linear import standardised

__all__ = ["LEARNING_RATES", "sgd_probe"]

LEARNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Tried by default, for a batch of 256."""


def sgd_probe(
    train_features,
    train_labels,
    test_features,
    test_labels,
    *,
    num_classes: int,
    learning_rates: Sequence[float] = LEARNING_RATES,
    epochs: int = 100,
    batch_size: int = 256,
    standardise: bool = True,
    held_out: float = 0.1,
    seed: int = 0,
    index=None,
) -> dict:
    """Accuracy of a linear classifier of frozen features: momentum 0.9, a cosine to zero, no weight decay.

    The classifiers of all learning rates are trained side by side, each seeing the same batches; the one that does best on a
    random held-out part of the training examples is reported, and none has seen that part.

    Args:
      train_features: (N, D).
      train_labels: (N,) integers in [0, num_classes).
      test_features: (M, D).
      test_labels: (M,).
      num_classes: C.
      learning_rates: to choose from, for a batch of 256; they grow with ``batch_size``.
      epochs: over the training examples.
      batch_size: N at most.
      standardise: subtract the mean and divide by the deviation of the training features, as batch norm without scale and
        bias does before the classifier in MAE.
      held_out: share of the examples that chooses, in [0, 1); a single rate needs none.
      seed: of the order and of what is held out.
      index: (N,) which example a row shows, where several show the same one: they are held out together.

    Returns:
      dict: ``accuracy``, ``train_accuracy``, ``learning_rate``.

    Raises:
      ValueError: shapes that do not fit, labels out of range, numbers that make no sense.

    >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    >>> sgd_probe(x, y, x, y, num_classes=2, learning_rates=(1.0,))["accuracy"]
    1.0

    References: He et al. 2022, arXiv:2111.06377, appendix A.1; Chen et al. 2021, arXiv:2104.02057.
    """
    train, labels = labelled("the linear probe", train_features, train_labels, num_classes)
    test, test_labels = labelled("the linear probe", test_features, test_labels, num_classes)
    if train.shape[1] != test.shape[1]:
        raise ValueError(f"training features have {train.shape[1]} dimensions and test features {test.shape[1]}")
    if not 0 <= held_out < 1 or epochs < 1 or batch_size < 1 or not learning_rates:
        raise ValueError(
            f"epochs={epochs}, batch_size={batch_size}, held_out={held_out}, {len(learning_rates)} learning rates: "
            "use at least one of each, and a share below 1"
        )
    index = np.arange(len(labels)) if index is None else np.asarray(index)
    rng = np.random.default_rng(seed)
    examples = np.unique(index)
    out = rng.permutation(examples)[: round(held_out * len(examples)) if len(learning_rates) > 1 else 0]
    held = np.isin(index, out)
    x, x_test = map(jnp.asarray, (train, test))
    if standardise:
        x, x_test = standardised(x, jnp.ones(len(x)), x_test)
    rows = np.flatnonzero(~held)
    batch_size = min(batch_size, len(rows))
    steps = len(rows) // batch_size
    order = np.stack([rng.permutation(rows)[: steps * batch_size] for _ in range(epochs)])
    rates = jnp.asarray(learning_rates, jnp.float32) * (batch_size / 256)
    params = _train(x, jnp.asarray(labels), jnp.asarray(order.reshape(-1, batch_size)), rates, num_classes=num_classes)
    right = np.asarray(_right(params, x, jnp.asarray(labels)))
    right_test = np.asarray(_right(params, x_test, jnp.asarray(test_labels)))
    chosen = np.flatnonzero(held) if held.any() else rows
    best = int(right[:, chosen].mean(1).argmax())
    return {
        "accuracy": float(right_test[best].mean()),
        "train_accuracy": float(right[best].mean()),
        "learning_rate": float(learning_rates[best]),
    }


@functools.partial(jax.jit, static_argnames="num_classes")
def _train(features, labels, batches, rates, *, num_classes):
    """Classifiers (R, D, C) and (R, C) after all batches (steps, B) of rows."""
    start = jnp.zeros((len(rates), features.shape[1], num_classes)), jnp.zeros((len(rates), num_classes))
    tx, steps = optax.trace(0.9), len(batches)

    def loss(params, x, y):
        logits = jnp.einsum("bd,rdc->rbc", x, params[0], precision="highest") + params[1][:, None]
        targets = jnp.broadcast_to(y[None], logits.shape[:2])
        # The sum over rates: each classifier gets the gradient of its own loss.
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean(1).sum()

    def step(carry, at):
        (params, state), (number, rows) = carry, at
        updates, state = tx.update(jax.grad(loss)(params, features[rows], labels[rows]), state)
        decay = 0.5 * (1.0 + jnp.cos(jnp.pi * number / steps))
        params = jax.tree.map(lambda p, u: p - u * (rates * decay).reshape(-1, *[1] * (u.ndim - 1)), params, updates)
        return (params, state), None

    numbers = jnp.arange(steps, dtype=jnp.float32)
    return jax.lax.scan(step, (start, tx.init(start)), (numbers, batches))[0][0]


@jax.jit
def _right(params, features, labels):
    """(R, N) whether each classifier is right about each row."""

    def right(classifier):  # one at a time: the logits of all would be large
        kernel, bias = classifier
        return (jnp.einsum("nd,dc->nc", features, kernel, precision="highest") + bias[None]).argmax(-1) == labels

    return jax.lax.map(right, params)
