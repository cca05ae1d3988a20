"""Linear probe: multinomial logistic regression on frozen features, solved to the optimum by full-batch L-BFGS."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jssl.evaluation._checks import labelled

__all__ = ["L2_SWEEP", "fit", "linear_probe", "objective"]

L2_SWEEP = tuple(10.0**e for e in (0, -1, -2, -3, -4, -5))
"""Regularisation strengths tried by default. scikit-learn's C is 1 / (N l2)."""


def objective(params: dict, features, labels, *, l2, weights=None) -> jax.Array:
    """Weighted mean cross-entropy + l2 / 2 ||kernel||^2; the bias is not regularised.

    Args:
      params: ``{"kernel": (D, C), "bias": (C,)}``.
      features: (N, D) float32.
      labels: (N,) int32.
      l2: regularisation strength.
      weights: (N,) float32; all ones by default.

    Returns:
      float32 scalar.
    """
    losses = optax.softmax_cross_entropy_with_integer_labels(_logits(params, features), labels)
    loss = losses.mean() if weights is None else jnp.vdot(weights, losses) / weights.sum()
    return loss + 0.5 * l2 * jnp.vdot(params["kernel"], params["kernel"])


def _logits(params, features):
    # The gradient as (C, N) x (N, D), which XLA's CPU backend computes three times as fast as (D, N) x (N, C); without
    # the barrier it folds the transpose and computes the latter.
    kernel = jax.lax.optimization_barrier(params["kernel"].T)
    # TF32 or bfloat16 products are noise that the line search cannot get past.
    return jnp.einsum("nd,cd->nc", features, kernel, precision="highest") + params["bias"][None]


def fit(
    features,
    labels,
    *,
    l2: float,
    num_classes: int,
    weights=None,
    init: dict | None = None,
    max_steps: int = 200,
    tolerance: float = 1e-4,
) -> tuple[dict, dict]:
    """Minimises ``objective`` by L-BFGS.

    Args:
      features: (N, D) float32; standardised features converge in far fewer steps.
      labels: (N,) int32.
      l2: regularisation strength.
      num_classes: C.
      weights: (N,) float32 example weights.
      init: parameters to start from; zeros by default.
      max_steps: iterations at most.
      tolerance: the largest entry of the gradient at which to stop.

    Returns:
      (params, dict with ``loss``, ``grad_norm`` (the largest entry) and ``steps``).

    >>> params, info = fit(np.array([[-1.0], [1.0]]), np.array([0, 1]), l2=0.1, num_classes=2)
    >>> bool(params["kernel"][0, 1] > 0), info["grad_norm"] <= 1e-4
    (True, True)
    """
    features, labels = jnp.asarray(features, jnp.float32), jnp.asarray(labels, jnp.int32)
    weights = jnp.ones(len(features)) if weights is None else jnp.asarray(weights, jnp.float32)
    if init is None:
        init = {"kernel": jnp.zeros((features.shape[1], num_classes)), "bias": jnp.zeros(num_classes)}
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # optax.lbfgs mixes both
        params, info = _fit(features, labels, weights, l2, init, tolerance, max_steps=max_steps)
    return params, {"loss": float(info[0]), "grad_norm": float(info[1]), "steps": int(info[2])}


@functools.partial(jax.jit, static_argnames="max_steps")
def _fit(features, labels, weights, l2, params, tolerance, *, max_steps):
    def loss(params):
        return objective(params, features, labels, l2=l2, weights=weights)

    solver = optax.lbfgs(memory_size=10)
    value_and_grad = optax.value_and_grad_from_state(loss)

    def step(carry):
        params, state, _, steps = carry
        value, grad = value_and_grad(params, state=state)  # free: the line search has computed both
        updates, state = solver.update(grad, state, params, value=value, grad=grad, value_fn=loss)
        return optax.apply_updates(params, updates), state, _largest(optax.tree.get(state, "grad")), steps + 1

    def unfinished(carry):
        return (carry[2] > tolerance) & (carry[3] < max_steps)

    start = params, solver.init(params), jnp.float32(jnp.inf), jnp.int32(0)
    params, state, grad_norm, steps = jax.lax.while_loop(unfinished, step, start)
    return params, (optax.tree.get(state, "value"), grad_norm, steps)


def _largest(tree):
    return jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(tree)]))


def linear_probe(
    train_features,
    train_labels,
    test_features,
    test_labels,
    *,
    num_classes: int,
    l2: Sequence[float] = L2_SWEEP,
    standardise: bool = True,
    held_out: float = 0.1,
    max_steps: int = 200,
    seed: int = 0,
    index=None,
) -> dict:
    """Accuracy of the best linear classifier of frozen features.

    The regularisation is chosen on a random held-out part of the training examples, never on the test set, from strong
    to weak, each fit started from the one before; the winner is fitted again on all of them.

    Args:
      train_features: (N, D).
      train_labels: (N,) integers in [0, num_classes).
      test_features: (M, D).
      test_labels: (M,).
      num_classes: C.
      l2: strengths to try, see ``objective``; a single one needs no held-out part. The middle one is taken where there
        are too few examples to hold some out.
      standardise: subtract the mean and divide by the deviation of the training features; constant ones become zero.
      held_out: share of the training examples that chooses, in [0, 1).
      max_steps: L-BFGS iterations per fit.
      seed: of the split.
      index: (N,) places of the training examples among all, where each process has a part of them, or where several rows show
        the same one, which are then held out together; all processes have the same test examples. None: 0 to N - 1.

    Returns:
      dict: ``accuracy``, ``train_accuracy``, ``l2``, ``held_out`` (accuracy by strength; empty where there was no
      choice), ``loss``, ``grad_norm``, ``steps``.

    Raises:
      ValueError: shapes that do not fit, labels out of range, held_out out of range.

    >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    >>> linear_probe(x, y, x, y, num_classes=2, l2=(1e-3,))["accuracy"]
    1.0
    """
    train, labels = labelled("the linear probe", train_features, train_labels, num_classes)
    test, test_labels = labelled("the linear probe", test_features, test_labels, num_classes)
    if train.shape[1] != test.shape[1]:
        raise ValueError(f"training features have {train.shape[1]} dimensions and test features {test.shape[1]}")
    if not 0 <= held_out < 1:
        raise ValueError(f"held_out={held_out} is no share; give one in [0, 1)")
    index = np.arange(len(labels)) if index is None else np.asarray(index)
    total = 1 + int(index.max() if jax.process_count() == 1 else multihost_utils.process_allgather(index.max()).max())
    # Weights instead of a slice: the sweep and the last fit share one compilation.
    held_out_rows = np.random.default_rng(seed).permutation(total)[: round(held_out * total)]
    held = np.isin(index, held_out_rows).astype(np.float32)
    train, labels, held, ones = _over_processes(train, labels, held, np.ones(len(labels), np.float32))  # type: ignore[assignment]
    if standardise:
        train, test = standardised(train, ones, test)  # type: ignore[assignment]

    solve = functools.partial(fit, train, labels, num_classes=num_classes, max_steps=max_steps)
    strengths = sorted(l2, reverse=True)
    params: dict[float, dict | None] = {}
    scores: dict[float, float] = {}
    if len(strengths) > 1 and 0 < len(held_out_rows) < total:
        init = None
        for strength in strengths:
            init, _ = solve(l2=strength, weights=ones - held, init=init)
            params[strength], scores[strength] = init, _score(init, train, labels, held)
    middle = strengths[(len(strengths) - 1) // 2]
    best = max(scores, key=lambda s: (scores[s], s)) if scores else middle  # of equals, the strongest
    solution, info = solve(l2=best, init=params.get(best), weights=ones)
    return {
        "accuracy": _score(solution, test, test_labels, np.ones(len(test_labels), np.float32)),
        "train_accuracy": _score(solution, train, labels, ones),
        "l2": best,
        "held_out": scores,
        **info,
    }


def _over_processes(*arrays: np.ndarray) -> list[jax.Array]:
    """Arrays of which each process has some rows, as global ones over all devices, filled up with rows of zeros."""
    if jax.process_count() == 1:
        return [jnp.asarray(array) for array in arrays]
    most = int(multihost_utils.process_allgather(len(arrays[0])).max())
    rows = -(-most // jax.local_device_count()) * jax.local_device_count()
    mesh = Mesh(np.asarray(jax.devices()), ("rows",))  # in the order of processes

    def spread(array):
        padded = np.pad(array, [(0, rows - len(array)), *[(0, 0)] * (array.ndim - 1)])
        return jax.make_array_from_process_local_data(NamedSharding(mesh, PartitionSpec("rows")), padded)

    return [spread(array) for array in arrays]


def _score(params, features, labels, weights) -> float:
    """The share of right predictions among the rows of weight one."""
    right, rows = _count(params, features, labels, weights > 0)
    return int(right) / int(rows)


@jax.jit
def _count(params, features, labels, counted):
    right = _logits(params, features).argmax(-1) == labels
    return jnp.sum(right & counted), jnp.sum(counted)


@jax.jit
def standardised(train, weights, test):
    """Both, less the weighted mean of ``train`` (N, D) and over its deviation; constant columns become zero."""
    weights = weights[:, None] / weights.sum()
    mean = (weights * train).sum(0, keepdims=True)
    std = jnp.sqrt((weights * (train - mean) ** 2).sum(0, keepdims=True))
    # A deviation of a few units in the last place is rounding, which division would blow up.
    scale = jnp.where(std > 1e-6 * jnp.abs(mean), 1.0 / jnp.where(std > 0, std, 1.0), 0.0)
    return (train - mean) * scale, (test - mean) * scale
