"""Floating-point operations of a function, counted in its jaxpr: what the mathematics asks for, on any device."""

import math
from collections.abc import Callable

import jax

__all__ = ["count", "of_training"]


def count(function: Callable, *arguments) -> int:
    """Floating-point operations of all dots and convolutions of ``function(*arguments)``, two for each multiplication with
    its addition; nothing is computed. The body of a scan counts as often as it runs.

    Convolutions count as they are usually quoted, with what they multiply in their padding; a ``while`` whose length is
    not known counts once, and of the branches of a ``cond`` the dearest.

    Args:
      function: any that jax can trace.
      *arguments: arrays or jax.ShapeDtypeStruct.

    >>> import jax.numpy as jnp
    >>> count(lambda x: jax.lax.scan(lambda c, _: (c @ x, None), x, length=5)[0], jnp.ones((8, 8)))
    5120
    """
    return _jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def of_training(method, params, teacher, extra, views, keys) -> int:
    """Model FLOPs of one training step: loss and gradient on views that have been made.

    Neither the views nor the optimiser are part of it, nor what is computed again to save memory, if ``method`` was built
    with ``remat="none"``.

    Args:
      method: the method record.
      params, teacher, extra: parts of its state, abstract.
      views: of the whole batch, abstract; with ``keys``, (B,), from ``jssl.train.state.make_views``.
    """

    def loss(params, teacher, extra, views, keys):
        return method.loss(params, teacher, extra, views, keys, step=jax.numpy.int32(0), axis_name=None)

    return count(jax.grad(loss, has_aux=True), params, teacher, extra, views, keys)


def _jaxpr(jaxpr) -> int:
    return sum(_equation(equation) for equation in jaxpr.eqns)


def _equation(equation) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        return _dot(equation)
    if name == "conv_general_dilated":
        return _convolution(equation)
    if name == "cond":
        return max(_jaxpr(branch.jaxpr) for branch in params["branches"])
    times = params["length"] if name == "scan" else 1
    return times * sum(_jaxpr(inner) for value in params.values() for inner in _inner(value))


def _inner(value):
    """The jaxprs that a parameter of an equation holds."""
    if hasattr(value, "eqns"):
        return [value]
    return [value.jaxpr] if hasattr(getattr(value, "jaxpr", None), "eqns") else []


def _dot(equation) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    return 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(left[d] for d in contracted)


def _convolution(equation) -> int:
    kernel, (_, features, *spatial) = equation.invars[1].aval.shape, equation.params["dimension_numbers"].rhs_spec
    taps = math.prod(kernel[d] for d in (features, *spatial))
    # Of a dilated input, as in the gradient of a strided convolution, most elements are zeros between others.
    return 2 * math.prod(equation.outvars[0].aval.shape) * taps // math.prod(equation.params["lhs_dilation"])
