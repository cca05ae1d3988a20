"""Runs of an optimiser alone, on trees of random numbers."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax


def trajectory(tx, params, gradients, shardings=None):
    """(parameters, state) after each update, by one compiled update that is traced once and donates the state."""

    @functools.partial(jax.jit, donate_argnums=1, out_shardings=shardings)
    @chex.assert_max_traces(1)
    def step(gradient, state, params):
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    chex.clear_trace_counter()
    state = jax.jit(tx.init, out_shardings=shardings and shardings[1])(params)
    for gradient in gradients:
        params, state = step(gradient, state, params)
        yield params, jax.tree.map(np.asarray, state)


def random_tree(seed, shapes):
    """Normal arrays; shapes is a nested dict of tuples."""
    rng = np.random.default_rng(seed)
    is_shape = lambda x: isinstance(x, tuple)  # noqa: E731
    return jax.tree.map(lambda s: jnp.asarray(rng.normal(size=s), jnp.float32), shapes, is_leaf=is_shape)


def assert_trees_close(a, b, **tolerance):
    jax.tree.map(functools.partial(np.testing.assert_allclose, **tolerance), a, b)
