"""Variables without compiling an initialiser, models and functions on devices run, and trees compared."""

import functools

import jax
import numpy as np

P = jax.P


def on_devices(function, devices, whole, split, out_split):
    """Jitted function(*whole, *split, axis_name=...) in shard_map with the vma check.

    ``split`` arrays and the outputs marked True in the tuple ``out_split`` are split over the batch; the others must be
    equal on every device, which jax proves.
    """
    auto = jax.sharding.AxisType.Auto
    shape, axes = ((devices,), ("data",)) if devices < 4 else ((devices // 2, 2), ("data", "fsdp"))
    mesh = jax.make_mesh(shape, axes, axis_types=(auto,) * len(axes), devices=jax.devices()[:devices])
    axis_name = axes if len(axes) > 1 else axes[0]
    batch = P(axes)
    mapped = jax.shard_map(
        lambda *args: function(*args, axis_name=axis_name),
        mesh=mesh,
        in_specs=(P(),) * len(whole) + (batch,) * len(split),
        out_specs=tuple(batch if s else P() for s in out_split),
        check_vma=True,
    )
    return jax.jit(mapped)(*whole, *split)


def assert_trees_close(actual, expected, *, relative=1e-5):
    """Equal structure, and every leaf within ``relative`` of its largest value."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for (path, a), e in zip(jax.tree_util.tree_leaves_with_path(actual), jax.tree.leaves(expected)):
        a, e = np.asarray(a, np.float64), np.asarray(e, np.float64)
        error, size = np.abs(a - e).max(), np.abs(e).max()
        assert error <= relative * size + 1e-7, f"{jax.tree_util.keystr(path)}: {error:.3g} of {size:.3g}"


@functools.partial(jax.jit, static_argnums=0, static_argnames="last")
def apply(model, params, *args, **kwargs):
    """The model's output; compiled once for every call with the same model and shapes."""
    return model.apply({"params": params}, *args, **kwargs)


def variables(model, *args, seed=0, **kwargs):
    """Normal numbers everywhere, biases and norms too; batch statistics as at the start."""
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), *args, **kwargs))
    rng = np.random.default_rng(seed)

    def fill(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if name.startswith("batch_stats"):
            return np.full(leaf.shape, float(name.endswith("var")), leaf.dtype)
        centre = float(name.endswith("/scale"))  # norms that shrink everything would hide differences
        return rng.normal(size=leaf.shape, loc=centre, scale=0.3).astype(leaf.dtype)

    return jax.tree_util.tree_map_with_path(fill, shapes)
