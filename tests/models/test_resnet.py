import jax
import jax.numpy as jnp
import numpy as np
import pytest
import spread

from jssl.models import ResNet, resnet

TINY = {"stage_sizes": (1, 1), "width": 4, "stem": "cifar"}


def _images(batch=8, size=8):
    """Images that differ in mean and contrast, so that statistics of a part of the batch are not those of the whole."""
    rng = np.random.default_rng(0)
    scale = np.linspace(0.2, 3.0, batch).reshape(-1, 1, 1, 1)
    return (scale * rng.normal(size=(batch, size, size, 3)) + scale).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "count", "features"),
    # torchvision's counts without the classifier: 11 689 512, 21 797 672 and 25 557 032 with it.
    [("resnet18", 11_176_512, 512), ("resnet34", 21_284_672, 512), ("resnet50", 23_508_032, 2048)],
)
def test_size(name, count, features):
    model = resnet.make(name)
    output, variables = jax.eval_shape(lambda: model.init_with_output(jax.random.key(0), jnp.zeros((2, 224, 224, 3))))
    assert output.pooled.shape == (2, features)
    assert output.tokens.shape == (2, 49, features)
    assert sum(a.size for a in jax.tree.leaves(variables["params"])) == count


@pytest.mark.parametrize(("stem", "sides"), [("imagenet", (8, 4, 2, 1)), ("cifar", (32, 16, 8, 4))])
def test_resolutions(stem, sides):
    model = resnet.make("resnet18", width=2, stem=stem)
    images = jnp.zeros((1, 32, 32, 3))
    _, state = jax.eval_shape(
        lambda: model.apply(
            model.init(jax.random.key(0), images), images, capture_intermediates=True, mutable=["intermediates"]
        )
    )
    outputs = [state["intermediates"][f"stage{s}_block1"]["__call__"][0].shape for s in (1, 2, 3, 4)]
    assert outputs == [(1, side, side, 2 * 2**s) for s, side in enumerate(sides)]


def test_strided_convolution_pads_both_sides():
    """Output (0, 0) of a 3x3 kernel with stride 2 is centred on pixel (0, 0), as in PyTorch; SAME centres it on (1, 1)."""
    image = np.zeros((1, 8, 8, 1), np.float32)
    image[0, 0, 0] = 1.0
    kernel = np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1)

    class Probe(resnet.nn.Module):
        @resnet.nn.compact
        def __call__(self, x):
            return resnet._conv(x, 1, 3, 2, name="conv", dtype=jnp.float32, param_dtype=jnp.float32)

    y = Probe().apply({"params": {"conv": {"kernel": kernel}}}, image)
    assert y.shape == (1, 4, 4, 1)
    assert y[0, 0, 0, 0] == kernel[1, 1, 0, 0]


@pytest.mark.slow
def test_zero_init_makes_blocks_the_identity():
    expansion = resnet.EXPANSION["bottleneck"]
    x = np.random.default_rng(1).uniform(size=(2, 4, 4, 4 * expansion)).astype(np.float32)
    options = {"kind": "bottleneck", "width": 4, "stride": 1, "dtype": jnp.float32, "param_dtype": jnp.float32}

    def start(zero_init):
        model = resnet.Block(zero_init_residual=zero_init, **options)
        return jax.jit(lambda key: model.init_with_output(key, x)[0])(jax.random.key(0))

    np.testing.assert_array_equal(start(True), x)
    assert np.abs(start(False) - x).max() > 0.1


def test_convolutions_start_he_normal_over_fan_out():
    model = ResNet(stage_sizes=(1,), width=64)
    variables = jax.jit(lambda key: model.init(key, jnp.zeros((1, 16, 16, 3))))(jax.random.key(0))
    for kernel in (variables["params"]["stem_conv"]["kernel"], variables["params"]["stage1_block0"]["conv2"]["kernel"]):
        expected = np.sqrt(2 / (kernel.shape[0] * kernel.shape[1] * kernel.shape[3]))
        np.testing.assert_allclose(np.std(kernel), expected, rtol=0.05)


@pytest.mark.parametrize(
    ("devices", "block"),
    [
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((1, "basic"), (2, "basic"), (8, "bottleneck"))),
        (8, "basic"),
    ],
)
def test_batch_norm_is_over_all_devices(devices, block):
    model = ResNet(block=block, zero_init_residual=False, **TINY)
    images = _images()
    variables = spread.variables(model, images)
    features = 8 * resnet.EXPANSION[block]
    cotangent = np.random.default_rng(1).normal(size=(8, features)).astype(np.float32)

    def run(variables, images, cotangent, *, axis_name=None):
        def loss_of(params):
            output, mutated = model.apply(
                {**variables, "params": params}, images, train=True, axis_name=axis_name, mutable=["batch_stats"]
            )
            loss = jnp.mean(output.pooled * cotangent)
            return loss if axis_name is None else jax.lax.pmean(loss, axis_name), (mutated, output.pooled)

        (_, (stats, y)), grad = jax.value_and_grad(loss_of, has_aux=True)(variables["params"])
        return y, stats, grad

    whole = jax.jit(run)(variables, images, cotangent)
    split = spread.on_devices(run, devices, (variables,), (images, cotangent), (True, False, False))
    spread.assert_trees_close(split, whole, relative=2e-5)


def test_tokens_are_the_map_in_raster_order():
    """Rectangular images of four channels: each token sees what is round its place, and their mean is what is pooled."""
    model = ResNet(**TINY)
    images = np.random.default_rng(0).normal(size=(1, 16, 32, 4)).astype(np.float32)
    variables = spread.variables(model, images)
    encode = jax.jit(lambda x: model.apply(variables, x))
    pooled, tokens, layers, *_ = encode(images)
    assert tokens.shape == (1, 8 * 16, 8)
    assert layers is None
    np.testing.assert_allclose(pooled, np.mean(tokens, 1), rtol=1e-5, atol=1e-6)
    changed = images.copy()
    changed[0, 14:, :2] += 1.0  # lower left: the last row of the map, first column
    moved = np.abs(encode(changed).tokens - tokens).max(-1).reshape(8, 16)
    assert moved[7, 0] > 1e-3
    assert not moved[:4].any() and not moved[:, 8:].any()


def test_running_statistics():
    model, images = ResNet(**TINY), _images()
    variables = spread.variables(model, images)
    _, mutated = jax.jit(lambda v: model.apply(v, images, train=True, mutable=["batch_stats"]))(variables)
    kernel = np.asarray(variables["params"]["stem_conv"]["kernel"])  # the first norm's statistics, by hand
    conv = jax.lax.conv_general_dilated(
        images, kernel, (1, 1), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    stats = mutated["batch_stats"]["stem_norm"]
    np.testing.assert_allclose(stats["mean"], 0.1 * np.mean(conv, (0, 1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(stats["var"], 0.9 + 0.1 * np.var(conv, (0, 1, 2)), rtol=1e-4)


def test_evaluation_reads_the_running_statistics_only():
    model, images = ResNet(**TINY), _images()
    variables = spread.variables(model, images)
    evaluate = jax.jit(lambda v, x: model.apply(v, x).pooled)
    whole = evaluate(variables, images)
    np.testing.assert_allclose(np.concatenate([evaluate(variables, x[None]) for x in images[:2]]), whole[:2], rtol=1e-5)
    moved = jax.tree.map(lambda x: x + 1.0, variables["batch_stats"])
    assert np.abs(evaluate({**variables, "batch_stats": moved}, images) - whole).max() > 0.01


@pytest.mark.slow
def test_bfloat16_has_float32_params_statistics_and_gradients():
    model, images = ResNet(dtype=jnp.bfloat16, **TINY), _images()
    variables = spread.variables(model, images)
    assert {a.dtype for a in jax.tree.leaves(variables)} == {jnp.dtype("float32")}

    def loss_of(params, model):
        (y, *_), mutated = model.apply({**variables, "params": params}, images, train=True, mutable=["batch_stats"])
        return jnp.mean(y.astype(jnp.float32) ** 2), (y, mutated["batch_stats"])

    run = jax.jit(jax.grad(loss_of, has_aux=True), static_argnums=1)
    grad, (y, stats) = run(variables["params"], model)
    _, (exact, exact_stats) = run(variables["params"], model.clone(dtype=jnp.float32))
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(y.astype(jnp.float32), exact, atol=0.05 * np.abs(exact).max())
    spread.assert_trees_close(stats, exact_stats, relative=0.02)
    assert {g.dtype for g in jax.tree.leaves(grad)} == {jnp.dtype("float32")}
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grad))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resnet.make("resnet19"), "no ResNet 'resnet19': use resnet18"),
        (
            lambda: resnet.make("resnet18", stem="mnist").init(jax.random.key(0), jnp.zeros((1, 8, 8, 3))),
            "no stem 'mnist'",
        ),
        (lambda: resnet.make("resnet18", block="x").init(jax.random.key(0), jnp.zeros((1, 8, 8, 3))), "no block 'x'"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
