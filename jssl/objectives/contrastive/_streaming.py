"""A loss that compares every example of a batch with all others, computed some rows of the comparisons at a time.

The B x B comparisons in float32, and once more for their gradient, take 32 GiB at a batch of 65,536. Here only some rows
of them exist at a time, and while they do, their part of the gradient is taken as well: differentiation costs the three
matrix products that it costs with whole comparisons, and what is kept for it has the size of the features.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks

_LARGEST, _FEWEST = 2**21, 256
"""Unless told otherwise a block is of the rows that make this many comparisons, or of so many rows where that is more."""


class Sums(NamedTuple):
    """What each of n rows gathers from the columns that it is compared with; more columns add to it.

    Attributes:
      logs: (n,) arrays, logarithms of sums of exponentials.
      plain: (n,) arrays, sums.
    """

    logs: tuple[jax.Array, ...] = ()
    plain: tuple[jax.Array, ...] = ()


class _Loss(NamedTuple):
    compare: Callable
    finish: Callable
    ring: AxisName


def mean_over_rows(
    compare: Callable[..., Sums],
    finish: Callable[[Sums], jax.Array],
    rows: tuple[Any, Any],
    columns: tuple[Any, Any],
    scalars: Any = (),
    *,
    function: str,
    exchange: str | None,
    block_size: int | None,
    axis_name: AxisName,
) -> jax.Array:
    """Mean of the losses of the global batch's rows, each compared with the global batch's columns.

    It can be differentiated in reverse mode, once, with respect to features and scalars.

    Args:
      compare: (row features, column features, scalars, row marks, column marks) -> Sums: plain code that holds the n x M
        comparisons. Like `finish` it holds no traced value of its own.
      finish: Sums over all columns -> (n,) losses, element by element.
      rows: (features, marks) of this device: trees of arrays with leading axis N. Marks, such as labels, have no gradient.
      columns: the same, with leading axis M.
      scalars: tree of scalars for compare.
      function: name of the objective, for messages.
      exchange: ``"gather"`` puts the columns of all devices together on each of them. ``"ring"`` passes them on from device
        to device, each of which holds its own and those of one other; comparisons are then computed twice for the gradient,
        once to know what each row gathers and once for what follows from it. None: they are the same on all devices.
      block_size: rows compared at a time; None chooses.
      axis_name: mapped axes that rows and columns are split over.

    Returns:
      float32 scalar.

    Raises:
      ValueError: no such exchange, or a block size that is not above 0.
    """
    _checks.positive(function, block_size=block_size)
    if exchange not in ("gather", "ring", None):
        raise ValueError(f"{function}: no exchange {exchange!r}; use gather or ring")
    if exchange == "gather":
        columns = jax.tree.map(lambda x: collectives.gather(x, axis_name), columns)
    count, width = (len(jax.tree.leaves(side)[0]) for side in (rows, columns))
    blocks = -(-count // (block_size or max(_FEWEST, _LARGEST // width)))
    size = -(-count // blocks)

    def blocked(x, padding="edge"):
        # Every blocks-th row and not neighbours: a batch that plain jit splits over devices is split in each block too.
        x = jnp.pad(x, [(0, size * blocks - count)] + [(0, 0)] * (x.ndim - 1), mode=padding)
        return x.reshape(size, blocks, *x.shape[1:]).swapaxes(0, 1)

    (features, marks), counts = jax.tree.map(blocked, rows), blocked(jnp.ones(count, jnp.float32), "constant")
    like = jax.tree.leaves(features)[0]
    counts, scalars, columns = jax.tree.map(lambda x: collectives.vary_like(x, like), (counts, scalars, columns))
    loss = _Loss(compare, finish, axis_name if exchange == "ring" else None)
    total = _total(loss, features, columns[0], scalars, marks, columns[1], counts)
    return collectives.mean(total / count, axis_name)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _total(loss, rows, columns, scalars, row_marks, column_marks, counts):
    """Sum of this device's losses, for rows in blocks (T, n, ...) of which those with count 0 are padding."""
    sums = _sums(loss, rows, columns, scalars, row_marks, column_marks)
    return jnp.sum(counts * loss.finish(sums))


def _sums(loss, rows, columns, scalars, row_marks, column_marks):
    """Sums (T, n) over the columns of all devices."""

    def against(columns, marks):
        return lax.map(lambda block: loss.compare(block[0], columns, scalars, block[1], marks), (rows, row_marks))

    def step(state, _):
        sums, columns = state
        onward = collectives.shift(columns, loss.ring)
        more = against(*columns)
        logs = jax.tree.map(jnp.logaddexp, sums.logs, more.logs)
        return (Sums(logs, jax.tree.map(jnp.add, sums.plain, more.plain)), onward), None

    columns = (columns, column_marks)
    start = (against(*columns), collectives.shift(columns, loss.ring))
    return lax.scan(step, start, length=collectives.size(loss.ring) - 1)[0][0]


def _forward(loss, rows, columns, scalars, row_marks, column_marks, counts):
    gradients = _around if collectives.size(loss.ring) > 1 else _at_once
    return gradients(loss, rows, columns, scalars, row_marks, column_marks, counts)


def _at_once(loss, rows, columns, scalars, row_marks, column_marks, counts):
    """Value and gradients where all columns are here: what a block gathers is known as soon as it is compared."""

    def step(gradients, block):
        rows, marks, counts = block

        def total(rows, columns, scalars):
            return jnp.sum(counts * loss.finish(loss.compare(rows, columns, scalars, marks, column_marks)))

        value, (to_rows, *more) = jax.value_and_grad(total, argnums=(0, 1, 2))(rows, columns, scalars)
        return jax.tree.map(jnp.add, gradients, tuple(more)), (value, to_rows)

    start = jax.tree.map(jnp.zeros_like, (columns, scalars))
    (to_columns, to_scalars), (values, to_rows) = lax.scan(step, start, (rows, row_marks, counts))
    return jnp.sum(values), (to_rows, to_columns, to_scalars)


def _around(loss, rows, columns, scalars, row_marks, column_marks, counts):
    """Value and gradients where the columns go round twice; their gradient goes with them and ends where it belongs."""
    sums = _sums(loss, rows, columns, scalars, row_marks, column_marks)
    total, slopes = jax.value_and_grad(lambda sums: jnp.sum(counts * loss.finish(sums)))(sums)

    def against(columns, column_marks):
        def step(gradients, block):
            rows, marks, sums, slopes = block

            def compare(rows, columns, scalars):
                return loss.compare(rows, columns, scalars, marks, column_marks)

            part, pull = jax.vjp(compare, rows, columns, scalars)
            logs = [s * jnp.exp(log - whole) for s, log, whole in zip(slopes.logs, part.logs, sums.logs)]
            to_rows, *more = pull(Sums(tuple(logs), slopes.plain))
            return jax.tree.map(jnp.add, gradients, tuple(more)), to_rows

        start = jax.tree.map(jnp.zeros_like, (columns, scalars))
        (to_columns, to_scalars), to_rows = lax.scan(step, start, (rows, row_marks, sums, slopes))
        return (to_rows, to_scalars), to_columns

    def step(state, _):
        here, columns, to_columns = state
        more, to_columns_more = against(*columns)
        here, to_columns = jax.tree.map(jnp.add, (here, to_columns), (more, to_columns_more))
        return (here, *collectives.shift((columns, to_columns), loss.ring)), None

    here, to_columns = against(columns, column_marks)
    start = (here, *collectives.shift(((columns, column_marks), to_columns), loss.ring))
    ((to_rows, to_scalars), _, to_columns), _ = lax.scan(step, start, length=collectives.size(loss.ring) - 1)
    return total, (to_rows, to_columns, to_scalars)


def _backward(loss, gradients, cotangent):
    del loss
    # Columns that went round collected their gradient on all devices: the cotangent of a mean over them is the same on each.
    return *jax.tree.map(lambda gradient: cotangent * gradient, gradients), None, None, None


_total.defvjp(_forward, _backward)
