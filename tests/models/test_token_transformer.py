import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import spread

from jssl.models import TokenTransformer

TINY = {"vocabulary": 11, "length": 8, "width": 8, "depth": 2, "heads": 2, "mlp_ratio": 2.0}
RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 11, (8, 6)).astype(np.int32)
PACKED = RNG.integers(0, 11, (2, 8)).astype(np.int32)
SEGMENTS = np.array([[1, 1, 1, 2, 2, 3, 3, 0], [0, 1, 1, 2, 2, 2, 3, 3]])


def _params(model):
    return spread.variables(model, TOKENS)["params"]


def _product():
    """Every pair of options turns up in the quick half."""
    for positions, causal, scan in itertools.product(("learned", "rotary"), (True, False), (False, True)):
        options = {"positions": positions, "causal": causal, "scan": scan}
        quick = (positions == "rotary") ^ causal ^ scan
        yield pytest.param(options, marks=() if quick else pytest.mark.slow, id=f"{positions}-{causal}-{scan}")


@pytest.mark.parametrize("options", [*_product()])
def test_packed_equals_separate(options):
    model = TokenTransformer(**TINY, **options)
    params = _params(model)
    packed = spread.apply(model, params, PACKED, segments=SEGMENTS, last=2)
    assert np.isfinite(packed.tokens).all()  # padding too
    for row in range(2):
        for document in (1, 2, 3):
            at = np.flatnonzero(SEGMENTS[row] == document)
            alone = spread.apply(model, params, PACKED[row : row + 1, at], last=2)
            np.testing.assert_allclose(packed.tokens[row, at], alone.tokens[0], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(packed.layers[:, row, at], alone.layers[:, 0], rtol=1e-5, atol=1e-5)
    other = spread.apply(model, params, PACKED, segments=np.ones_like(SEGMENTS), last=2)
    assert np.abs(other.tokens - packed.tokens).max() > 0.01


@pytest.mark.parametrize("options", [{}, {"positions": "rotary", "causal": True, "pool": "last"}])
def test_padding_changes_nothing(options):
    model = TokenTransformer(**TINY, **options)
    params, segments = _params(model), np.array([[1] * 5 + [0] * 3])
    plain = spread.apply(model, params, PACKED[:1, :5])
    padded = spread.apply(model, params, PACKED[:1], segments=segments)
    np.testing.assert_allclose(padded.pooled, plain.pooled, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(padded.tokens[:, :5], plain.tokens, rtol=1e-5, atol=1e-5)


def test_is_the_formula():
    """Causal, learned positions, GELU: written out in float64, a loop over tokens and heads."""
    model = TokenTransformer(**TINY, causal=True)
    params = jax.tree.map(np.float64, _params(model))

    def norm(x, p):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * p["scale"] + p["bias"]

    def dense(x, p):
        return x @ p["kernel"] + p["bias"]

    def attention(x, p):
        q, k, v = np.split(dense(x, p["qkv"]), 3, -1)
        out = np.zeros_like(x)
        for t in range(len(x)):
            for head in (slice(0, 4), slice(4, 8)):
                weight = np.exp(k[: t + 1, head] @ q[t, head] / 2.0)
                out[t, head] = weight @ v[: t + 1, head] / weight.sum()
        return dense(out, p["proj"])

    def mlp(x, p):
        hidden = dense(x, p["fc1"])
        return dense(hidden * 0.5 * np.vectorize(math.erfc)(-hidden / math.sqrt(2)), p["fc2"])

    expected = []
    for row in TOKENS:
        x = params["embedding"][row] + params["pos_embed"][: len(row)]
        for i in range(2):
            p = params["encoder"][f"block_{i}"]
            x = x + attention(norm(x, p["norm1"]), p)
            x = x + mlp(norm(x, p["norm2"]), p)
        expected.append(norm(x, params["norm"]))
    features = spread.apply(model, _params(model), TOKENS)
    np.testing.assert_allclose(features.tokens, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(features.pooled, np.mean(expected, 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scan", [False, True])
def test_causal_tokens_see_no_later_ones(scan):
    changed = TOKENS.copy()
    changed[:, 4] = (changed[:, 4] + 1) % 11
    for causal in (True, False):
        model = TokenTransformer(**TINY, causal=causal, positions="rotary", scan=scan)
        before, after = (np.asarray(spread.apply(model, _params(model), t).tokens) for t in (TOKENS, changed))
        if causal:
            np.testing.assert_array_equal(before[:, :4], after[:, :4])
        else:
            assert np.abs(before - after)[:, 0].max() > 1e-3
        assert np.abs(before - after)[:, 5].max() > 1e-3


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_order_matters(positions):
    model = TokenTransformer(**TINY, positions=positions)
    there, back = (spread.apply(model, _params(model), t).pooled for t in (TOKENS, TOKENS[:, ::-1]))
    assert np.abs(there - back).max() > 0.01


@pytest.mark.slow
def test_pooling():
    params = _params(TokenTransformer(**TINY))
    pooled = {
        pool: spread.apply(TokenTransformer(**TINY, pool=pool), params, PACKED, segments=SEGMENTS)
        for pool in ("mean", "last", "none")
    }
    tokens = np.asarray(pooled["none"].tokens)
    assert pooled["none"].pooled is None
    np.testing.assert_array_equal(pooled["last"].pooled, tokens[[0, 1], [6, 7]])
    np.testing.assert_allclose(
        pooled["mean"].pooled, [tokens[0, :7].mean(0), tokens[1, 1:].mean(0)], rtol=1e-5, atol=1e-6
    )
    whole = spread.apply(TokenTransformer(**TINY, pool="last"), params, TOKENS)
    np.testing.assert_array_equal(whole.pooled, whole.tokens[:, -1])


def test_an_id_beyond_the_vocabulary_is_not_taken_for_another():
    model = TokenTransformer(**TINY)
    tokens = TOKENS.copy()
    tokens[0, 3] = 11
    nan = np.isnan(spread.apply(model, _params(model), tokens).pooled)
    assert nan[0].all()
    assert not nan[1:].any()


def test_rotary_rows_may_be_longer_than_length_and_have_no_table():
    model = TokenTransformer(**TINY, positions="rotary")
    params = _params(model)
    assert set(params) == {"embedding", "encoder", "norm"}
    assert np.isfinite(spread.apply(model, params, np.tile(TOKENS, (1, 3))).tokens).all()


def test_start():
    model = TokenTransformer(**TINY | {"vocabulary": 500, "length": 64, "width": 64, "depth": 8}, scan=True)
    params = jax.jit(lambda key: model.init(key, TOKENS))(jax.random.key(0))["params"]
    blocks = params["encoder"]["blocks"]
    for kernel in (params["embedding"], params["pos_embed"], blocks["qkv"]["kernel"], blocks["fc1"]["kernel"]):
        np.testing.assert_allclose(np.std(kernel), 0.02, rtol=0.05)
    for layer in ("proj", "fc2"):
        np.testing.assert_allclose(np.std(blocks[layer]["kernel"]), 0.02 / 4, rtol=0.05)
        assert not np.any(blocks[layer]["bias"])
    assert params["embedding"].shape == (500, 64)
    assert params["pos_embed"].shape == (64, 64)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"positions": "rotary", "causal": True, "mlp": "swiglu", "scan": True, "remat": "full", "pool": "last"},
        pytest.param({"drop_path": 0.5}, marks=pytest.mark.slow),
    ],
)
def test_gradients_on_devices(options):
    model = TokenTransformer(**TINY, **options)
    params, keys = _params(model), jax.random.split(jax.random.key(3), 8)
    segments = np.sort(np.random.default_rng(1).integers(1, 3, TOKENS.shape), 1)
    segments[::2, -1] = 0

    def run(params, tokens, segments, keys, *, axis_name=None):
        def loss_of(params):
            features = model.apply({"params": params}, tokens, segments=segments, keys=keys, last=1)
            logits = features.tokens @ params["embedding"].T  # tied
            loss = jnp.mean(logits**3) + jnp.mean(features.pooled**3) + jnp.mean(features.layers**2)
            return loss if axis_name is None else jax.lax.pmean(loss, axis_name), features

        (_, features), grad = jax.value_and_grad(loss_of, has_aux=True)(params)
        return features.pooled, features.tokens, grad

    whole = jax.jit(run)(params, TOKENS, segments, keys)
    split = spread.on_devices(run, 8, (params,), (TOKENS, segments, keys), (True, True, False))
    spread.assert_trees_close(split, whole)
    assert all(np.abs(g).max() > 0 for g in jax.tree.leaves(whole[2]))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"positions": "rotary"}, pytest.param({"causal": True}, marks=pytest.mark.slow)])
def test_gradients_on_devices_of_whole_rows(options):
    """Without segments the places are the same on every device, as nothing else in the scan is."""
    model = TokenTransformer(**TINY, scan=True, **options)
    params = _params(model)

    def run(params, tokens, *, axis_name=None):
        def loss_of(params):
            loss = jnp.mean(model.apply({"params": params}, tokens).pooled ** 3)
            return loss if axis_name is None else jax.lax.pmean(loss, axis_name)

        return (jax.grad(loss_of)(params),)

    whole = jax.jit(run)(params, TOKENS)
    spread.assert_trees_close(spread.on_devices(run, 8, (params,), (TOKENS,), (False,)), whole)


@pytest.mark.slow
def test_bfloat16_has_float32_params_and_gradients():
    model = TokenTransformer(**TINY, positions="rotary", mlp="swiglu", causal=True, dtype=jnp.bfloat16)
    params = _params(model)
    assert {a.dtype for a in jax.tree.leaves(params)} == {jnp.dtype("float32")}

    def loss_of(params, model):
        features = model.apply({"params": params}, PACKED, segments=SEGMENTS, last=1)
        return jnp.mean(features.pooled.astype(jnp.float32) ** 3), features[:3]  # what there is without a class token

    # jax compiles the bfloat16 gradient of its own attention only under its default promotion rules.
    with jax.numpy_dtype_promotion("standard"):
        grad, outputs = jax.jit(jax.grad(loss_of, has_aux=True), static_argnums=1)(params, model)
    _, exact = jax.jit(loss_of, static_argnums=1)(params, model.clone(dtype=jnp.float32))
    for output, reference in zip(outputs, exact):
        assert output.dtype == jnp.bfloat16
        np.testing.assert_allclose(output.astype(jnp.float32), reference, atol=0.1)
    assert {g.dtype for g in jax.tree.leaves(grad)} == {jnp.dtype("float32")}
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grad))


@pytest.mark.parametrize(
    ("options", "segments", "message"),
    [
        ({"length": 5}, None, "rows of 6 tokens, but learned positions end at length=5: use length=6"),
        ({"positions": "none"}, None, "positions='none', pool='mean': use learned or rotary"),
        ({"pool": "max"}, None, "pool='max': use"),
        ({}, np.ones((8, 5), np.int32), r"segments \(8, 5\) must have the shape of tokens \(8, 6\)"),
        ({"positions": "rotary", "width": 6}, None, "even width, got 3"),
    ],
)
def test_wrong_arguments(options, segments, message):
    with pytest.raises(ValueError, match=message):
        TokenTransformer(**TINY | options).init(jax.random.key(0), TOKENS, segments=segments)
