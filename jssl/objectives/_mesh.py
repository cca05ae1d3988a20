"""Objectives on the arrays of an *Explicit* mesh, whose types say over which axes they are split."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax
from jax.sharding import NamedSharding, auto_axes

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def any_mesh(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorates a function that compares the examples of a batch, or sums over them in products.

    Split over an Explicit mesh, the default of ``jax.make_mesh``, a product of the batch with itself has no layout that
    follows from its operands', and JAX refuses it. Inside, the axes are Auto: the compiler chooses. The result, which is
    that of the global batch, is the same on every device. Where an axis name is given, nothing changes.
    """

    @functools.wraps(function)
    def on_any_mesh(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
        leaves, tree = jax.tree.flatten((args, options))
        arrays = {i: leaf for i, leaf in enumerate(leaves) if hasattr(leaf, "shape")}
        mesh = next((mesh for x in arrays.values() if (mesh := jax.typeof(x).sharding.mesh).explicit_axes), None)
        if mesh is None or options.get("axis_name") is not None:
            return function(*args, **options)

        def with_arrays(arrays):
            args, options = jax.tree.unflatten(tree, [arrays.get(i, leaf) for i, leaf in enumerate(leaves)])
            return function(*args, **options)

        whole = NamedSharding(mesh, jax.P())
        return auto_axes(with_arrays, axes=mesh.explicit_axes, out_sharding=whole)(arrays)

    return on_any_mesh
