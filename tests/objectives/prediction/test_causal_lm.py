"""The language loss against its formula and `cross_entropy_loss`; what the compiled programs hold and send."""

import functools
import math
import re

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import on_devices
import pytest

from jssl.objectives import causal_lm_loss, cross_entropy_loss

BATCH, LENGTH, WIDTH, VOCABULARY = 4, 6, 8, 50


def make():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(BATCH, LENGTH, WIDTH)).astype(np.float32)
    embedding = generator.normal(size=(VOCABULARY, WIDTH)).astype(np.float32)
    targets = generator.integers(VOCABULARY, size=(BATCH, LENGTH)).astype(np.int32)
    weights = generator.integers(3, size=(BATCH, LENGTH)).astype(np.float32)
    return features, embedding, targets, weights


def formula(features, embedding, targets, weights):
    """Value and gradients in float64."""
    features, embedding = (x.astype(np.float64) for x in (features.reshape(-1, WIDTH), embedding))
    powers = np.exp(features @ embedding.T)
    p = powers / powers.sum(axis=1, keepdims=True)
    share = (weights / weights.sum()).reshape(-1, 1)
    names = np.eye(VOCABULARY)[targets.reshape(-1)]
    gradient = share * (p - names)
    features_grad = (gradient @ embedding).reshape(BATCH, LENGTH, WIDTH)
    return -np.sum(share * names * np.log(p)), (features_grad, gradient.T @ features)


@functools.cache
def value_and_grad(tile=1024):
    return jax.jit(jax.value_and_grad(functools.partial(causal_lm_loss, tile=tile), (0, 1)))


def whole_logits(features, embedding, targets, weights):
    return cross_entropy_loss(features @ embedding.T, targets, weights=weights)


def close(results, expected):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), results, expected)


@pytest.mark.parametrize("tile", [1, 5, 8, 23, 24, 1024])  # of 24 tokens
def test_any_tile_matches_the_formula_and_whole_logits(tile):
    arrays = make()
    results = value_and_grad(tile)(*arrays)
    close(results, formula(*arrays))
    close(results, jax.jit(jax.value_and_grad(whole_logits, (0, 1)))(*arrays))
    close(jax.jit(functools.partial(causal_lm_loss, tile=tile))(*arrays), results[0])  # another path than the gradient


def test_gradient_scales_with_what_follows():
    arrays = make()
    scaled = jax.grad(lambda *arrays: jnp.square(causal_lm_loss(*arrays)), (0, 1))(*arrays)
    loss, grads = formula(*arrays)
    close(scaled, tuple(2 * loss * grad for grad in grads))


@pytest.mark.parametrize("target", [-1, VOCABULARY, 255])
def test_target_that_is_no_token_is_nan_unless_ignored(target):
    features, embedding, targets, weights = make()
    weights[1, 2] = 0.0
    expected = value_and_grad()(features, embedding, targets, weights)
    targets[1, 2] = target
    features[1, 2] = np.nan  # nor does it matter what the network makes of an ignored position
    loss, grads = value_and_grad()(features, embedding, targets, weights)
    jax.tree.map(np.testing.assert_array_equal, (loss, grads), expected)
    assert not np.any(grads[0][1, 2])
    features, embedding, _, weights = make()
    loss, grads = value_and_grad()(features, embedding, targets, np.ones_like(weights))
    assert np.isnan(loss)
    assert np.all(np.isnan(grads[0][1, 2]))


def test_everything_ignored_is_zero_not_nan():
    features, embedding, targets, weights = make()
    loss, grads = value_and_grad()(features, embedding, targets, 0 * weights)
    assert loss == 0
    assert not np.any(grads[0]) and not np.any(grads[1])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_targets_may_be_any_integers(dtype):
    features, embedding, targets, weights = make()
    assert causal_lm_loss(features, embedding, targets.astype(dtype), weights) == causal_lm_loss(
        features, embedding, targets, weights
    )


def test_products_run_in_the_dtype_of_features_with_float32_sums():
    features, embedding, targets, weights = make()
    features = features.astype(ml_dtypes.bfloat16)
    loss, (features_grad, embedding_grad) = value_and_grad(tile=1)(features, embedding, targets, weights)
    rounded = embedding.astype(ml_dtypes.bfloat16)
    expected_loss, (expected_features, expected_embedding) = formula(
        features.astype(np.float32), rounded.astype(np.float32), targets, weights
    )
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-5)
    assert features_grad.dtype == ml_dtypes.bfloat16 and embedding_grad.dtype == np.float32
    for grad, expected in ((features_grad, expected_features), (embedding_grad, expected_embedding)):
        error = np.abs(np.asarray(grad, np.float64) - expected).max()
        assert error < 2.0**-8 * np.abs(expected).max()
    jaxpr = str(jax.make_jaxpr(jax.grad(causal_lm_loss, (0, 1)))(features, embedding, targets, weights))
    products = [line for line in jaxpr.splitlines() if "= dot_general[" in line]
    assert len(products) == 3  # no logits are computed twice
    assert all("f32[" in line for line in products)


def compiled(function, batch, length, width, vocabulary):
    arrays = [
        jax.ShapeDtypeStruct(shape, dtype)
        for shape, dtype in (
            ((batch, length, width), np.float32),
            ((vocabulary, width), np.float32),
            ((batch, length), np.int32),
            ((batch, length), np.float32),
        )
    ]
    return jax.jit(function).lower(*arrays).compile()


def largest_array(program):
    """Number of elements of the largest array in a compiled program, fused or not."""
    shapes = re.findall(r"\b[a-z]+\d+\[([\d,]+)\]", program.as_text())
    return max(math.prod(map(int, shape.split(","))) for shape in shapes)


@pytest.mark.parametrize("differentiate", [False, True], ids=["forward", "gradient"])
def test_logits_are_never_whole(differentiate):
    batch, length, width, vocabulary = 8, 64, 16, 4096
    logits = batch * length * vocabulary

    def program(function):
        return compiled(
            jax.value_and_grad(function, (0, 1)) if differentiate else function, batch, length, width, vocabulary
        )

    whole, tiled = program(whole_logits), program(functools.partial(causal_lm_loss, tile=32))
    assert largest_array(whole) == logits  # the reading of programs does see them
    assert largest_array(tiled) == 32 * vocabulary
    assert whole.memory_analysis().temp_size_in_bytes >= 4 * logits
    assert tiled.memory_analysis().temp_size_in_bytes < 4 * logits / 4


def test_devices_add_up_the_gradient_of_the_embedding_once():
    """And not once per tile, which is what JAX makes of an array that all devices share and a loop uses."""

    def local(*arrays, axis_name):
        loss_of = functools.partial(causal_lm_loss, tile=2, axis_name=axis_name)
        return jax.value_and_grad(loss_of, (0, 1))(*arrays)

    def inside_loops(jaxpr, looping=False):
        for equation in jaxpr.eqns:
            if looping:
                yield equation.primitive.name
            for parameter in equation.params.values():
                inner = getattr(parameter, "jaxpr", parameter)
                if hasattr(inner, "eqns"):
                    yield from inside_loops(inner, looping or equation.primitive.name == "scan")

    mapped = on_devices.mapped(local, 2, (0, None, 0, 0), (None, (0, None)))
    names = set(inside_loops(jax.make_jaxpr(mapped)(*make()).jaxpr))
    assert "dot_general" in names  # the walk does see the loop
    assert not any(name.startswith(("psum", "all_")) for name in names)
    program = mapped.lower(*make()).compile().as_text()
    reductions = re.findall(r"= (.*) all-reduce\(", program)
    assert sum(f"f32[{VOCABULARY},{WIDTH}]" in reduction for reduction in reductions) == 1
    assert not re.search(r"all-gather|all-to-all", program)


def test_sharded_arrays_stay_sharded_under_plain_jit():
    mesh, axis_name = on_devices.mesh_of(2)
    shardings = [jax.NamedSharding(mesh, spec) for spec in on_devices.specs_of((0, None, 0, 0), axis_name)]
    arrays = list(map(jax.device_put, make(), shardings))
    close(value_and_grad(8)(*arrays), formula(*make()))
    program = value_and_grad(8).lower(*arrays).compile().as_text()
    assert not re.search(r"all-gather|all-to-all|collective-permute", program)


def test_without_an_axis_it_is_the_loss_of_each_device():
    def local(*arrays, axis_name):
        return jax.grad(lambda *arrays: jax.lax.pmean(causal_lm_loss(*arrays), axis_name), (0, 1))(*arrays)

    def expected(*arrays):
        return sum(causal_lm_loss(*(x if i == 1 else x[half] for i, x in enumerate(arrays))) / 2 for half in halves)

    halves = slice(0, BATCH // 2), slice(BATCH // 2, BATCH)
    mapped = on_devices.mapped(local, 2, (0, None, 0, 0), (0, None))
    close(mapped(*make()), jax.grad(expected, (0, 1))(*make()))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, e, t, w: causal_lm_loss(x, e, t.astype(np.float32), w), "targets must be integers, got float32"),
        (lambda x, e, t, w: causal_lm_loss(x, e, t, w[:3]), r"weights \(B, L\) have shape \(3, 6\).*\(4, 6, 8\)"),
        (lambda x, e, t, w: causal_lm_loss(x, e, t[:, 1:], w), r"targets \(B, L\) have shape \(4, 5\).*\(4, 6, 8\)"),
        (lambda x, e, t, w: causal_lm_loss(x, e[:, 1:], t, w), r"\(4, 6, 8\).*\(50, 7\)"),
        (lambda x, e, t, w: causal_lm_loss(x, e[:0], t, w), "embedding is empty"),
        (lambda x, e, t, w: causal_lm_loss(x, e, t, w, tile=0), "tile must be above 0, got 0"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(*make())
