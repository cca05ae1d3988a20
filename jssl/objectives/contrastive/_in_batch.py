"""Cross-entropies of picking a row's positives among the examples of the global batch."""

import jax
import jax.numpy as jnp

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives.contrastive import _streaming
from jssl.objectives.similarity import inner


def numbers(count: int, axis_name: AxisName) -> jax.Array:
    """(count,) places of this device's examples in the global batch."""
    return collectives.index(axis_name) * count + jnp.arange(count)


def pick_own(rows: jax.Array, columns: jax.Array, **options) -> jax.Array:
    """Mean loss of picking each row's own example, the column of the same place, among all columns.

    Args:
      rows: (b, D) float32 whose inner products with the columns are the logits.
      columns: (b, D) float32.
      **options: see ``_streaming.mean_over_rows``.
    """
    example = numbers(len(rows), options["axis_name"])
    return _streaming.mean_over_rows(_own, _finish_own, (rows, example), (columns, example), **options)


def _own(rows, columns, scalars, example, candidate):
    logits = inner(rows, columns)
    # Picked out of the same product as the denominator: computed apart, the two would differ by rounding / tau.
    own = jnp.sum(jnp.where(example[:, None] == candidate[None, :], logits, 0.0), axis=1)
    return _streaming.Sums((jax.nn.logsumexp(logits, axis=1),), (own,))


def _finish_own(sums):
    return sums.logs[0] - sums.plain[0]


def pick_positives(views: list[jax.Array], labels: jax.Array, temperature: float | jax.Array, **options) -> jax.Array:
    """Mean loss of picking each view's positives, the other views of its label, among all views but itself.

    Args:
      views: (b, D) float32 arrays.
      labels: (b,) integers.
      temperature: the logits are the inner products of views over it.
      **options: see ``_streaming.mean_over_rows``.
    """
    stacked = jnp.concatenate(views)
    marks = (jnp.concatenate([labels] * len(views)), numbers(len(stacked), options["axis_name"]))
    return _streaming.mean_over_rows(
        _positives, _finish_positives, (stacked / temperature, marks), (stacked, marks), **options
    )


def _positives(rows, columns, scalars, row_marks, column_marks):
    same_label, is_own = (r[:, None] == c[None, :] for r, c in zip(row_marks, column_marks))
    logits = jnp.where(is_own, -jnp.inf, inner(rows, columns))
    is_positive = same_label & ~is_own
    positives = jnp.sum(jnp.where(is_positive, logits, 0.0), axis=1)
    return _streaming.Sums(
        (jax.nn.logsumexp(logits, axis=1),), (positives, jnp.sum(is_positive, axis=1, dtype=jnp.float32))
    )


def _finish_positives(sums):
    positives, number = sums.plain
    return sums.logs[0] - positives / number  # never of 0: the other view of the same example is one
