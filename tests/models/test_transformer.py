import operator
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import spread

from jssl.models import Transformer

X = np.random.default_rng(0).normal(size=(8, 5, 8)).astype(np.float32)
MODEL = Transformer(depth=3, heads=2, mlp_ratio=2.0, layer_scale=0.5)


def _keys(count):
    return jax.random.split(jax.random.key(7), count)


def _params(model=MODEL):
    return spread.variables(model, X)["params"]


def _value_and_grad(model, params, x, keys, *, axis_name=None):
    def loss_of(params):
        y, _ = model.apply({"params": params}, x, keys=keys)
        loss = jnp.mean(y**3)
        return loss if axis_name is None else jax.lax.pmean(loss, axis_name), y

    (_, y), grad = jax.value_and_grad(loss_of, has_aux=True)(params)
    return y, grad


@pytest.fixture(scope="module")
def unrolled():
    params = _params()
    return params, jax.jit(lambda p, k: _value_and_grad(MODEL.clone(drop_path=0.5), p, X, k))(params, _keys(8))


def test_kernels_and_their_gradients_are_products_of_matrices():
    params = jax.eval_shape(_params)
    lowered = jax.jit(lambda p: _value_and_grad(MODEL, p, X, _keys(8))).lower(params).as_text()
    # Those with batching_dims are attention's.
    contracted = re.findall(r"dot_general %\w+, %\w+, contracting_dims = (\[.*?\] x \[.*?\])", lowered)
    # Over two axes, batch and tokens, XLA's CPU backend is two to three times slower: see flat_dot.
    assert contracted and not [axes for axes in contracted if "," in axes]


@pytest.mark.slow
@pytest.mark.parametrize(("remat", "scan"), [("full", False), ("dots", True)])
def test_remat_and_scan_change_nothing(unrolled, remat, scan):
    params, (expected, expected_grad) = unrolled

    def stack(tree):
        return {"blocks": jax.tree.map(lambda *layers: np.stack(layers), *(tree[f"block_{i}"] for i in range(3)))}

    if scan:
        params, expected_grad = stack(params), stack(expected_grad)
    model = MODEL.clone(drop_path=0.5, remat=remat, scan=scan)
    y, grad = jax.jit(lambda p, k: _value_and_grad(model, p, X, k))(params, _keys(8))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    spread.assert_trees_close(grad, expected_grad)


def test_remat_recomputes():
    """``dots`` repeats only the products with batch dimensions (attention) in the backward pass, ``full`` all of them."""
    params = _params()

    def products(remat):
        model = MODEL.clone(remat=remat)
        return str(jax.make_jaxpr(jax.grad(lambda p: jnp.sum(model.apply({"params": p}, X)[0] ** 3)))(params)).count(
            "dot_general["
        )

    none, dots, full = (products(remat) for remat in ("none", "dots", "full"))
    assert none < dots < full


def test_scan_compiles_one_block():
    def products(scan):
        model = Transformer(depth=6, heads=2, scan=scan)
        params = spread.variables(model, X)
        return jax.jit(lambda p: model.apply(p, X)[0]).lower(params).as_text().count("stablehlo.dot_general")

    assert products(True) * 6 == products(False)


def test_scan_starts_every_layer_differently():
    model = Transformer(depth=3, heads=2, scan=True)
    params = jax.jit(lambda key: model.init(key, X))(jax.random.key(0))["params"]["blocks"]
    kernel = params["qkv"]["kernel"]
    assert kernel.shape == (3, 8, 24)
    assert not np.allclose(kernel[0], kernel[1])


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 8])
def test_drop_path_does_not_depend_on_the_devices(unrolled, devices):
    params, whole = unrolled

    def run(params, x, keys, *, axis_name):
        return _value_and_grad(MODEL.clone(drop_path=0.5), params, x, keys, axis_name=axis_name)

    split = spread.on_devices(run, devices, (params,), (X, _keys(8)), (True, False))
    spread.assert_trees_close(split, whole)


def test_drop_path_keeps_the_expectation():
    """The last block drops half of its attention branches and doubles the others; the first block drops none."""
    model = Transformer(depth=2, heads=2, mlp_ratio=1.0, drop_path=0.5)
    params = _params(model)
    params["block_1"]["fc2"] = jax.tree.map(np.zeros_like, params["block_1"]["fc2"])  # attention is all it does
    count = 2000
    x = np.broadcast_to(X[:1], (count, 5, 8))
    run = jax.jit(lambda x, keys: model.apply({"params": params}, x, keys=keys)[0])
    only_first = Transformer(depth=1, heads=2, mlp_ratio=1.0)
    first = jax.jit(lambda p: only_first.apply({"params": {"block_0": p["block_0"]}}, X[:1])[0][0])(params)
    branch = run(X[:1], None)[0] - first
    y = np.asarray(run(x, _keys(count))) - np.asarray(first)
    dropped = np.abs(y).max((1, 2)) < 1e-5
    np.testing.assert_allclose(y[~dropped], np.broadcast_to(2 * branch, y[~dropped].shape), rtol=1e-3, atol=1e-4)
    assert abs(dropped.mean() - 0.5) < 0.05  # 4.5 deviations of 2000 draws


def test_uniform_drop_path_drops_at_the_first_block_too():
    """Attention of the first block is all that acts: half of the examples keep what they were, which is none where the rate
    grows from zero."""
    count = 1000
    x = np.broadcast_to(X[:1], (count, 5, 8))
    model = Transformer(depth=2, heads=2, mlp_ratio=1.0, drop_path=0.5, drop_path_uniform=True)
    params = _params(model)
    for block, layer in (("block_0", "fc2"), ("block_1", "fc2"), ("block_1", "proj")):
        params[block][layer] = jax.tree.map(np.zeros_like, params[block][layer])
    y = jax.jit(lambda x, keys: model.apply({"params": params}, x, keys=keys)[0])(x, _keys(count))
    assert abs(np.mean(np.abs(y - x).max((1, 2)) < 1e-6) - 0.5) < 0.07  # 4.4 deviations


def test_branches_and_layers_draw_apart():
    """With 2 layers x 2 branches and rates 0 and 0.5, each of the last layer's four outcomes turns up in a quarter."""
    model = Transformer(depth=2, heads=2, mlp_ratio=1.0, drop_path=0.5)
    params, count = _params(model), 400
    y = jax.jit(lambda x, keys: model.apply({"params": params}, x, keys=keys)[0])(
        np.broadcast_to(X[:1], (count, 5, 8)), _keys(count)
    )
    _, outcome, counts = np.unique(np.round(np.asarray(y[:, 0, 0]), 3), return_inverse=True, return_counts=True)
    assert len(counts) == 4
    assert np.all(np.abs(counts / count - 0.25) < 0.1)


def test_no_keys_no_drop_path():
    params = _params()
    dropping = MODEL.clone(drop_path=0.9)
    y, expected = jax.jit(lambda p: (dropping.apply({"params": p}, X)[0], MODEL.apply({"params": p}, X)[0]))(params)
    np.testing.assert_array_equal(y, expected)


def test_layer_scale():
    params = _params()
    for block in params.values():
        block["scale1"][:] = block["scale2"][:] = 0.0
    np.testing.assert_array_equal(jax.jit(lambda p: MODEL.apply({"params": p}, X)[0])(params), X)
    start = jax.jit(lambda key: MODEL.init(key, X))(jax.random.key(0))["params"]["block_0"]["scale1"]
    np.testing.assert_array_equal(start, np.full(8, 0.5))


def test_masked_tokens_reach_nobody():
    params = _params()
    mask = np.array([[True, True, False, True, False]] * 8)
    noise = np.where(mask[..., None], 0, 100 * np.random.default_rng(1).normal(size=X.shape)).astype(np.float32)
    run = jax.jit(lambda x, mask: MODEL.apply({"params": params}, x, mask=mask)[0])
    expected = np.asarray(run(X, mask))
    np.testing.assert_array_equal(run(X + noise, mask)[mask], expected[mask])
    np.testing.assert_allclose(run(X[:, [0, 1, 3]], None), expected[:, [0, 1, 3]], rtol=1e-5, atol=1e-5)
    assert np.abs(run(X + noise, None)[mask] - expected[mask]).max() > 0.1


def test_pairwise_masks():
    """A row per query: the padding mask written out so is the same, and a lower triangle is ``causal``."""
    params = _params()
    run = jax.jit(lambda m: MODEL.apply({"params": params}, X, mask=m)[0])
    padding = np.tile([True, True, False, True, False], (8, 1))
    np.testing.assert_array_equal(run(np.tile(padding[:, None], (1, 5, 1))), run(padding))
    triangle = np.tile(np.tri(5, dtype=bool), (8, 1, 1))
    causal = jax.jit(lambda p: MODEL.clone(causal=True).apply({"params": p}, X)[0])(params)
    np.testing.assert_allclose(run(triangle), causal, rtol=1e-5, atol=1e-6)
    assert np.abs(run(triangle) - run(np.ones_like(triangle))).max() > 0.01


def test_rotary_sees_distances_only():
    params = _params()
    run = jax.jit(lambda x, places: MODEL.apply({"params": params}, x, places=places)[0])
    places = np.arange(5, dtype=np.int32)[None]
    expected = np.asarray(run(X, places))
    np.testing.assert_allclose(run(X, places + 170), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(run(X[:, ::-1], places[:, ::-1])[:, ::-1], expected, rtol=1e-5, atol=1e-5)
    assert np.abs(run(X, 2 * places) - expected).max() > 0.01
    assert np.abs(run(X, 0 * places) - expected).max() > 0.01
    np.testing.assert_array_equal(run(X, 0 * places), jax.jit(lambda x: MODEL.apply({"params": params}, x)[0])(X))


def test_swiglu_is_the_formula():
    model = Transformer(depth=1, heads=2, mlp_ratio=1.5, mlp="swiglu")
    params = _params(model)
    block = params["block_0"]
    assert block["fc1"]["kernel"].shape == (8, 24)
    block["proj"] = jax.tree.map(np.zeros_like, block["proj"])  # the MLP is all it does
    y = (X - X.mean(-1, keepdims=True)) / np.sqrt(X.var(-1, keepdims=True) + 1e-6)
    y = y * block["norm2"]["scale"] + block["norm2"]["bias"]
    gate, value = np.split(y @ block["fc1"]["kernel"] + block["fc1"]["bias"], 2, -1)
    expected = X + (gate / (1 + np.exp(-gate)) * value) @ block["fc2"]["kernel"] + block["fc2"]["bias"]
    np.testing.assert_allclose(spread.apply(model, params, X)[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("scan", [False, True])
def test_last_layers(scan):
    """Those of a stack that ends earlier, the last being the output itself."""
    params = _params()
    if scan:
        params = {"blocks": jax.tree.map(lambda *layers: np.stack(layers), *params.values())}
    model = MODEL.clone(scan=scan)
    x, layers = spread.apply(model, params, X, last=3)
    for depth in (1, 2, 3):
        first = {"blocks": jax.tree.map(operator.itemgetter(slice(depth)), params["blocks"])} if scan else params
        shorter, none = spread.apply(model.clone(depth=depth), first, X)
        assert none is None
        np.testing.assert_allclose(layers[depth - 1], shorter, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layers[-1], x)
    np.testing.assert_array_equal(spread.apply(model, params, X, last=1)[1], layers[-1:])
    with pytest.raises(ValueError, match="last=4 of 3 blocks: use 0 to 3"):
        model.init(jax.random.key(0), X, last=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "3 heads do not divide width 8"),
        ({"drop_path": 1.0}, r"drop_path=1.0 is outside \[0, 1\)"),
        ({"remat": "some"}, "no remat 'some': use none, full, dots"),
        ({"mlp": "relu"}, "mlp='relu', initializer='xavier': use gelu or swiglu; xavier or gpt2"),
        ({"initializer": "gpt3"}, "initializer='gpt3': use"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        MODEL.clone(**options).init(jax.random.key(0), X)
