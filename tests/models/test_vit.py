import jax
import jax.numpy as jnp
import numpy as np
import pytest
import spread

from jssl.models import ViT, vit

TINY = {"patch_size": 4, "width": 8, "depth": 2, "heads": 2, "image_size": 16}
IMAGES = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype(np.float32)


def _params(model):
    return spread.variables(model, IMAGES)["params"]


@pytest.mark.parametrize(
    ("size", "patch", "count"),
    # timm's counts without the classifier. With 1000 classes: 5.7, 22.1, 86.6, 304.3 and 632.0 million.
    [
        ("tiny", 16, 5_524_416),
        ("small", 16, 21_665_664),
        ("base", 16, 85_798_656),
        ("large", 16, 303_301_632),
        ("huge", 16, 630_918_400),
        ("huge", 14, 630_764_800),
    ],
)
def test_size(size, patch, count):
    model = vit.make(size, patch_size=patch, scan=True)
    variables = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 224, 224, 3))))
    assert sum(a.size for a in jax.tree.leaves(variables)) == count


def test_start():
    model = ViT(**TINY | {"width": 64}, registers=2)
    params = jax.jit(lambda key: model.init(key, IMAGES))(jax.random.key(0))["params"]
    for name in ("class_token", "registers", "pos_embed"):
        assert np.abs(params[name]).max() <= 0.05
        assert np.std(params[name]) > 0.01
    for kernel in (params["patch_embed"]["kernel"], params["encoder"]["block_1"]["qkv"]["kernel"]):
        bound = np.sqrt(6 / sum(kernel.shape))
        assert 0.95 * bound < np.abs(kernel).max() <= bound


@pytest.mark.parametrize(
    "options", [{"registers": 2}, {"class_token": False, "pool": "mean", "positions": "sincos", "scan": True}]
)
def test_subsets(options):
    model = ViT(**TINY, **options)
    params = _params(model)
    pooled, tokens, *_ = spread.apply(model, params, IMAGES)
    assert pooled.shape == (4, 8)
    assert tokens.shape == (4, 16, 8)

    # All patches in any order: the same features, in that order.
    order = np.stack([np.random.default_rng(i).permutation(16) for i in range(4)])
    pooled_all, tokens_all, *_ = spread.apply(model, params, IMAGES, indices=order)
    np.testing.assert_allclose(pooled_all, pooled, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        tokens_all, np.take_along_axis(np.asarray(tokens), order[..., None], 1), rtol=1e-4, atol=1e-5
    )

    # Some patches: the others' pixels do not matter, and neither does padding.
    some = order[:, :6]
    pooled_some, tokens_some, *_ = spread.apply(model, params, IMAGES, indices=some)
    assert tokens_some.shape == (4, 6, 8)
    assert np.abs(pooled_some - pooled).max() > 0.01
    unseen = np.isin(np.arange(16), some[0], invert=True).reshape(4, 4).repeat(4, 0).repeat(4, 1)
    changed = IMAGES.copy()
    changed[0][unseen] = 100.0
    np.testing.assert_array_equal(spread.apply(model, params, changed, indices=some).tokens, tokens_some)
    valid = np.arange(9) < 6
    for padding in (0, 15):
        padded = np.where(valid, order[:, :9], padding)
        pooled_pad, tokens_pad, *_ = spread.apply(
            model, params, IMAGES, indices=padded, token_mask=np.tile(valid, (4, 1))
        )
        np.testing.assert_allclose(pooled_pad, pooled_some, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(tokens_pad[:, :6], tokens_some, rtol=1e-4, atol=1e-5)


def test_token_mask_is_per_example():
    model = ViT(**TINY, pool="mean")
    params = _params(model)
    mask = np.ones((4, 16), bool)
    mask[1, 5:] = False
    pooled = spread.apply(model, params, IMAGES, token_mask=mask).pooled
    full = spread.apply(model, params, IMAGES).pooled
    difference = np.abs(pooled - full).max(1)
    assert difference[1] > 0.01
    assert np.delete(difference, 1).max() < 1e-4


def test_pooling():
    params = _params(ViT(**TINY))
    token, tokens, *_ = spread.apply(ViT(**TINY), params, IMAGES)
    mean = spread.apply(ViT(**TINY, pool="mean"), params, IMAGES).pooled
    nothing = spread.apply(ViT(**TINY, pool="none"), params, IMAGES).pooled
    np.testing.assert_allclose(mean, np.mean(tokens, 1), rtol=1e-5, atol=1e-6)
    assert np.abs(token - mean).max() > 0.1
    assert nothing is None


def test_registers_take_part_and_are_dropped():
    model = ViT(**TINY, registers=3)
    params = _params(model)
    tokens = spread.apply(model, params, IMAGES).tokens
    assert tokens.shape == (4, 16, 8)
    changed = spread.apply(model, params | {"registers": -params["registers"]}, IMAGES).tokens
    assert np.abs(tokens - changed).max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("scan", [False, True])
def test_layers_are_those_of_the_patches(scan):
    model = ViT(**TINY, registers=3, scan=scan)
    params = _params(model)
    indices = np.tile(np.arange(0, 16, 2), (4, 1))
    pooled, tokens, layers, *_ = spread.apply(model, params, IMAGES, indices=indices, last=2)
    assert layers.shape == (2, 4, 8, 8)
    centred = layers[-1] - np.mean(layers[-1], -1, keepdims=True)
    scale, bias = (params["norm"][name][None, None] for name in ("scale", "bias"))
    normed = centred / np.sqrt(np.mean(centred**2, -1, keepdims=True) + 1e-6) * scale + bias
    np.testing.assert_allclose(normed, tokens, rtol=1e-4, atol=1e-5)
    assert np.abs(layers[0] - layers[1]).max() > 0.01
    plain = spread.apply(model, params, IMAGES, indices=indices)
    assert plain.layers is None
    np.testing.assert_allclose(plain.tokens, tokens, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(plain.pooled, pooled, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(spread.apply(model, params, IMAGES, indices=indices, last=1).layers, layers[1:])


@pytest.mark.parametrize(("positions", "shape"), [("learned", (24, 12)), ("sincos", (8, 8))])
def test_other_image_sizes(positions, shape):
    model = ViT(**TINY, positions=positions)
    params = _params(model)
    images = np.random.default_rng(1).normal(size=(2, *shape, 3)).astype(np.float32)
    pooled, tokens, *_ = spread.apply(model, params, images)
    assert pooled.shape == (2, 8)
    assert tokens.shape == (2, shape[0] * shape[1] // 16, 8)
    if positions == "learned":
        grad = jax.jit(jax.grad(lambda p: jnp.sum(model.apply({"params": p}, images).pooled ** 3)))(params)["pos_embed"]
        assert np.isfinite(grad).all()
        assert (np.abs(grad).max((0, 2)) > 0).all()


@pytest.mark.slow
def test_gradients_on_devices_and_drop_path_keys():
    model = ViT(**TINY, registers=1, drop_path=0.6, pool="mean")
    params = _params(model)
    images, keys = np.concatenate([IMAGES, -IMAGES]), jax.random.split(jax.random.key(3), 8)
    indices = np.stack([np.random.default_rng(i).permutation(16)[:7] for i in range(8)])
    mask = np.arange(7)[None] < np.arange(8)[:, None] % 4 + 3

    def run(params, images, indices, mask, keys, *, axis_name=None):
        def loss_of(params):
            pooled = model.apply({"params": params}, images, indices=indices, token_mask=mask, keys=keys).pooled
            loss = jnp.mean(pooled**3)
            return loss if axis_name is None else jax.lax.pmean(loss, axis_name), pooled

        (_, pooled), grad = jax.value_and_grad(loss_of, has_aux=True)(params)
        return pooled, grad

    whole = jax.jit(run)(params, images, indices, mask, keys)
    split = spread.on_devices(run, 8, (params,), (images, indices, mask, keys), (True, False))
    spread.assert_trees_close(split, whole)
    evaluated = spread.apply(model, params, images, indices=indices, token_mask=mask).pooled
    assert np.abs(whole[0] - evaluated).max() > 0.01  # the keys do something


@pytest.mark.slow
def test_bfloat16_has_float32_params_and_gradients():
    model = ViT(**TINY, registers=1, layer_scale=0.5, drop_path=0.1, dtype=jnp.bfloat16)
    keys = jax.random.split(jax.random.key(3), 4)
    params = _params(model)
    assert {a.dtype for a in jax.tree.leaves(params)} == {jnp.dtype("float32")}

    def loss_of(params, model):
        pooled, tokens, *_ = model.apply({"params": params}, IMAGES, keys=keys)
        return jnp.mean(pooled.astype(jnp.float32) ** 3), (pooled, tokens)

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
    ("options", "shape", "message"),
    [
        ({}, (1, 18, 16, 3), "patches of 4 pixels do not tile 18x16 images"),
        ({"image_size": 18}, (1, 16, 16, 3), r"image_size=18\); use multiples of 4"),
        ({"pool": "max"}, (1, 16, 16, 3), "pool='max'"),
        ({"positions": "none"}, (1, 16, 16, 3), "positions='none'"),
        ({"class_token": False}, (1, 16, 16, 3), "pool='token' needs class_token=True"),
    ],
)
def test_wrong_arguments(options, shape, message):
    with pytest.raises(ValueError, match=message):
        ViT(**TINY | options).init(jax.random.key(0), jnp.zeros(shape))


def test_unknown_size():
    with pytest.raises(ValueError, match="no ViT 'giant': use tiny, small, base, large, huge"):
        vit.make("giant")


def test_patch_norm_sees_neither_brightness_nor_contrast():
    model = ViT(**TINY, patch_norm=True)
    params = _params(model)
    plain, changed = (spread.apply(model, params, images).tokens for images in (IMAGES, 0.3 * IMAGES + 2.0))
    np.testing.assert_allclose(changed, plain, atol=1e-3)
    assert np.abs(plain[0] - plain[1]).max() > 0.1


@pytest.mark.parametrize("pool", ["token", "mean"])
def test_the_blocks_are_pooled_as_the_last_one_is(pool):
    model = ViT(**TINY, pool=pool, registers=1)
    params = _params(model)
    found = jax.jit(lambda x: model.apply({"params": params}, x, last=2))(IMAGES)
    assert found.pooled_layers.shape == (2, 4, 8)
    np.testing.assert_allclose(found.pooled_layers[-1], found.pooled, rtol=1e-5, atol=1e-6)
    if pool == "token":
        np.testing.assert_array_equal(found.class_token, found.pooled)
    if pool == "mean":  # the first block's patches through the last norm, by hand
        x = np.asarray(found.layers[0], np.float64)
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
        by_hand = (x * params["norm"]["scale"] + params["norm"]["bias"]).mean(1)
        np.testing.assert_allclose(found.pooled_layers[0], by_hand, rtol=1e-4, atol=1e-5)
