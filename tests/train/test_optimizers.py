"""Optimisers against the authors' trajectories, against written-out formulas, and under jit, sharding and stacking."""

import functools
import re

import chex
import golden
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec as P

from jssl import sharding
from jssl.train import optimizers, schedules
from jssl.train.groups import vit_layer
from jssl.train.optimizers import OPTIMIZERS, make_optimizer


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


# --- the authors' trajectories


def steps_of(case, kind, prefix):
    """[{name: array}] over steps from ``<prefix>_<t>/<name>``."""
    arrays = getattr(case, kind)
    return [
        {re.sub(f"^{prefix}_{t}/", "", k): jnp.asarray(v, jnp.float32) for k, v in arrays.items()
         if k.startswith(f"{prefix}_{t}/")}
        for t in range(case.hyper["steps"])
    ]  # fmt: skip


def initial(case):
    return {k.removeprefix("p0/"): jnp.asarray(v) for k, v in case.inputs.items() if k.startswith("p0/")}


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("lars"))
def test_lars_follows_moco_v3_and_barlow_twins(name):
    case = golden.load("lars", name)
    h, tolerance = case.hyper, case.tolerance
    filtered = h["weight_decay_filter"]
    assert filtered == h["lars_adaptation_filter"]
    options = {} if filtered else {"exclude": lambda path, leaf: False}
    tx = make_optimizer(
        "lars", learning_rate=h["lr"], weight_decay=h["weight_decay"], momentum=h["momentum"],
        trust_coefficient=h["eta"], **options,
    )  # fmt: skip
    expected = zip(steps_of(case, "out", "p"), steps_of(case, "out", "mu"))
    runs = trajectory(tx, initial(case), steps_of(case, "inputs", "g"))
    close = {"rtol": tolerance["param_rtol"], "atol": tolerance["param_atol"]}
    for (params, state), (p, mu) in zip(runs, expected, strict=True):
        assert_trees_close(params, p, **close)
        assert_trees_close(optax.tree.get(state, "trace"), mu, **close)


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("lars_simclr"))
def test_lars_simclr_follows_simclr(name):
    case = golden.load("lars_simclr", name)
    h = case.hyper
    excluded = re.compile("|".join(h["exclude"]))
    tx = make_optimizer(
        "lars_simclr", learning_rate=h["lr"], weight_decay=h["weight_decay"], momentum=h["momentum"],
        nesterov=h["use_nesterov"], trust_coefficient=h["eeta"], classic_momentum=h["classic_momentum"],
        exclude=lambda path, leaf: bool(excluded.search(path)),
    )  # fmt: skip
    runs = trajectory(tx, initial(case), steps_of(case, "inputs", "g"))
    for (params, _), p in zip(runs, steps_of(case, "out", "p"), strict=True):
        assert_trees_close(params, p, rtol=case.tolerance["param_rtol"], atol=case.tolerance["param_atol"])


def our_path(name):
    """A timm ViT parameter name in our tree."""
    name = re.sub(r"^blocks\.(\d+)\.", r"encoder/encoder/block_\1/", name.replace("cls_token", "class_token"))
    return name if name.startswith("encoder/") else "encoder/" + name.replace(".", "/")


@pytest.mark.golden
@pytest.mark.parametrize("name", ["layer_decay_0", "layer_decay_1"])
def test_layer_decay_follows_mae(name):
    case = golden.load("schedules", name)
    h = case.hyper
    names = [str(n) for n in case.out["names"]]
    params = {our_path(n): jnp.ones(2 if n.endswith((".bias", "norm1.weight", "norm.weight")) else (1, 2, 2))
              for n in names}  # fmt: skip
    assert len(params) == len(names)
    tx = make_optimizer(
        "sgd", learning_rate=1.0, weight_decay=h["weight_decay"], momentum=0.0, layer_decay=h["layer_decay"],
        num_layers=h["num_blocks"], exclude="pos_embed|class_token",
    )  # fmt: skip
    ones = jax.tree.map(jnp.ones_like, params)
    updates, _ = jax.jit(tx.update)(ones, tx.init(params), params)
    step = -(1.0 + case.out["weight_decay"]) * case.out["lr_scale"]
    np.testing.assert_allclose([np.ravel(updates[our_path(n)])[0] for n in names], step, rtol=1e-5)


# --- written-out formulas

SHAPES = {"kernel": (6, 4), "bias": (4,)}


def test_sgd_and_adamw_are_pytorch_s():
    lr, wd = (lambda t: 0.1 / (1 + t)), (lambda t: 0.01 * (1 + t))
    gradients = [random_tree(t, SHAPES) for t in range(1, 5)]
    start = random_tree(0, SHAPES)
    sgd = make_optimizer("sgd", learning_rate=lr, weight_decay=wd, momentum=0.9)
    adamw = make_optimizer("adamw", learning_rate=lr, weight_decay=wd, b1=0.8, b2=0.95, eps=1e-6)
    p = {n: np.asarray(x, np.float64) for n, x in start.items()}
    q = dict(p)
    buffer, mu, nu = ({n: np.zeros_like(x) for n, x in p.items()} for _ in range(3))
    for t, ((sgd_params, _), (adamw_params, _)) in enumerate(
        zip(trajectory(sgd, start, gradients), trajectory(adamw, start, gradients))
    ):
        for n in SHAPES:
            decay = wd(t) if n == "kernel" else 0.0
            g = np.asarray(gradients[t][n], np.float64)
            buffer[n] = 0.9 * buffer[n] + g + decay * p[n]
            p[n] = p[n] - lr(t) * buffer[n]
            mu[n], nu[n] = 0.8 * mu[n] + 0.2 * g, 0.95 * nu[n] + 0.05 * g**2
            adam = mu[n] / (1 - 0.8 ** (t + 1)) / (np.sqrt(nu[n] / (1 - 0.95 ** (t + 1))) + 1e-6)
            q[n] = q[n] * (1 - lr(t) * decay) - lr(t) * adam
        assert_trees_close(sgd_params, p, rtol=1e-5, atol=1e-6)
        assert_trees_close(adamw_params, q, rtol=1e-5, atol=1e-6)


def test_larc_is_lars_with_a_rate_of_at_most_the_learning_rate():
    lr, wd, trust = (lambda t: 0.1 * t), 0.01, 0.02  # 0 at first, as in a warmup
    start = random_tree(0, SHAPES | {"small": (6, 4), "zero": (3, 3)})
    start["zero"] = jnp.zeros((3, 3))
    gradients = [random_tree(t, SHAPES | {"small": (6, 4), "zero": (3, 3)}) for t in range(1, 5)]
    gradients = [g | {"small": 0.02 * g["small"]} for g in gradients]
    p = {n: np.asarray(x, np.float64) for n, x in start.items()}
    buffer = {n: np.zeros_like(x) for n, x in p.items()}
    clipped = {n: [] for n in p}
    for t, (params, _) in enumerate(
        trajectory(make_optimizer("larc", learning_rate=lr, weight_decay=wd, trust_coefficient=trust), start, gradients)
    ):
        for n, g in gradients[t].items():
            g, rate = np.asarray(g, np.float64), lr(t)
            if n != "bias":
                g = g + wd * p[n]
                if np.any(p[n]):
                    local = trust * np.linalg.norm(p[n]) / np.linalg.norm(g)
                    clipped[n].append(local > rate)
                    g = g * (min(local, rate) / rate if rate else 1.0)
            buffer[n] = 0.9 * buffer[n] + g
            p[n] = p[n] - rate * buffer[n]
        assert_trees_close(params, p, rtol=1e-5, atol=1e-6)
    assert all(clipped["small"]) and clipped["kernel"] == [True, False, False, False]


def test_lamb_is_optax_s():
    mask = {"kernel": True, "bias": False}
    theirs = optax.chain(
        optax.scale_by_adam(0.9, 0.99, 1e-6), optax.add_decayed_weights(0.01, mask),
        optax.masked(optax.scale_by_trust_ratio(), mask), optax.scale_by_learning_rate(0.1),
    )  # fmt: skip
    ours = make_optimizer("lamb", learning_rate=0.1, weight_decay=0.01, b2=0.99)
    start, gradients = random_tree(0, SHAPES), [random_tree(t, SHAPES) for t in (1, 2, 3)]
    with jax.numpy_dtype_promotion("standard"):
        reference = [p for p, _ in trajectory(theirs, start, gradients)]
    for (params, _), p in zip(trajectory(ours, start, gradients), reference, strict=True):
        assert_trees_close(params, p, rtol=1e-6)


def test_muon_is_optax_s_on_matrices():
    start, gradients = random_tree(0, SHAPES), [random_tree(t, SHAPES) for t in (1, 2, 3)]
    theirs = optax.contrib.muon(0.1, weight_decay=0.02, consistent_rms=0.2)
    ours = make_optimizer("muon", learning_rate=0.1, weight_decay=0.02)
    with jax.numpy_dtype_promotion("standard"):
        reference = [p["kernel"] for p, _ in trajectory(theirs, start, gradients)]
    for (params, _), p in zip(trajectory(ours, start, gradients), reference, strict=True):
        np.testing.assert_allclose(params["kernel"], p, rtol=1e-5, atol=1e-6)


def test_muon_orthogonalises_matrices_and_convolutions_only():
    shapes = {"dense/kernel": (12, 5), "conv/kernel": (3, 3, 2, 4), "pos_embed": (1, 4, 8), "dense/bias": (5,)}
    params, gradients = random_tree(0, shapes), random_tree(1, shapes)
    tx = make_optimizer("muon", learning_rate=1.0)
    updates, _ = jax.jit(tx.update)(gradients, tx.init(params), params)
    for name in ("dense/kernel", "conv/kernel"):
        matrix = np.reshape(updates[name], (-1, shapes[name][-1]))
        values = np.linalg.svd(matrix, compute_uv=False) / (0.2 * np.sqrt(max(matrix.shape)))
        assert 0.6 < values.min() and values.max() < 1.3, (name, values)  # five Newton-Schulz steps get this near to 1
    for name in ("pos_embed", "dense/bias"):  # Adam's first step is the sign
        np.testing.assert_allclose(np.abs(updates[name]), 1.0, rtol=1e-3)


def test_biases_and_norms_are_not_decayed():
    params = {
        "encoder": {"blocks": {"norm1": {"scale": jnp.ones((3, 4))}, "fc1": {"kernel": jnp.ones((3, 4, 4))}}},
        "norm": {"scale": jnp.ones(4)}, "head": {"kernel": jnp.ones((4, 2)), "bias": jnp.ones(2)},
        "class_token": jnp.ones((1, 1, 4)),
    }  # fmt: skip
    zeros = jax.tree.map(jnp.zeros_like, params)

    @jax.jit
    def first_updates(params):
        chains = {name: make_optimizer(name, learning_rate=1.0, weight_decay=0.5) for name in OPTIMIZERS}
        chains["by name"] = make_optimizer("adamw", learning_rate=1.0, weight_decay=0.5, exclude="token|head")
        return {name: tx.update(zeros, tx.init(params), params)[0] for name, tx in chains.items()}

    decayed = jax.tree.map(lambda u: bool(np.any(u != 0)), first_updates(params))
    expected = {
        "encoder": {"blocks": {"norm1": {"scale": False}, "fc1": {"kernel": True}}},
        "norm": {"scale": False}, "head": {"kernel": True, "bias": False}, "class_token": True,
    }  # fmt: skip
    for name in OPTIMIZERS:
        assert decayed[name] == expected, name
    assert decayed["by name"] == expected | {"class_token": False, "head": {"kernel": False, "bias": False}}


def test_clip_norm_clips_the_global_norm():
    params = {"a": jnp.zeros(2), "b": jnp.zeros((1, 1))}
    gradients = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([[4.0]])}
    tx = make_optimizer("sgd", learning_rate=1.0, momentum=0.0, clip_norm=0.5)
    updates, _ = tx.update(gradients, tx.init(params), params)
    np.testing.assert_allclose(updates["a"], [-0.3, 0.0], rtol=1e-6)
    np.testing.assert_allclose(updates["b"], [[-0.4]], rtol=1e-6)


def test_groups_scale_the_learning_rate():
    params = {"encoder": {"kernel": jnp.ones((2, 2))}, "predictor": {"kernel": jnp.ones((2, 2))}}
    runs = {g: make_optimizer("lars_simclr", learning_rate=0.1, groups=g and {"^predictor/": 10.0}) for g in (None, 1)}
    plain, grouped = ([p for p, _ in trajectory(tx, params, [params] * 3)] for tx in runs.values())
    change = jax.tree.map(lambda p, q: np.asarray(p - q), grouped[0], params)
    reference = jax.tree.map(lambda p, q: np.asarray(p - q), plain[0], params)
    np.testing.assert_allclose(change["encoder"]["kernel"], reference["encoder"]["kernel"], rtol=1e-5)
    np.testing.assert_allclose(change["predictor"]["kernel"], 10 * reference["predictor"]["kernel"], rtol=1e-3)


# --- freeze


def test_freeze_withholds_updates_until_the_step():
    params = {"head": {"last_layer": jnp.ones((2, 2))}, "encoder": jnp.ones((2, 2))}
    tx = optimizers.freeze(make_optimizer("adamw", learning_rate=0.1, weight_decay=0.1), "last_layer", until_step=2)
    free = make_optimizer("adamw", learning_rate=0.1, weight_decay=0.1)
    runs = list(zip(trajectory(tx, params, [params] * 4), trajectory(free, params, [params] * 4)))
    for step, ((p, _), (q, _)) in enumerate(runs):
        moved = bool(jnp.any(p["head"]["last_layer"] != params["head"]["last_layer"]))
        assert moved == (step >= 2), step
        np.testing.assert_array_equal(p["encoder"], q["encoder"])


# --- what every optimiser promises

UNROLLED = {
    "encoder": {
        f"block_{i}": {"fc1": {"kernel": (8, 16), "bias": (16,)}, "norm1": {"scale": (8,)}} for i in range(2)
    },
    "pos_embed": (1, 4, 8), "head": {"kernel": (8, 8)},
}  # fmt: skip


def stack(tree):
    blocks = list(tree["encoder"].values())
    return {**tree, "encoder": {"blocks": jax.tree.map(lambda *x: jnp.stack(x), *blocks)}}


def full_options(name):
    return make_optimizer(
        name, learning_rate=schedules.warmup_cosine(0.1, 2, 10), weight_decay=schedules.cosine(0.04, 0.4, 10),
        clip_norm=1.0, layer_decay=0.7, num_layers=2, groups={"head": 0.5},
    )  # fmt: skip


START = random_tree(0, UNROLLED)
GRADIENTS = [random_tree(t, UNROLLED) for t in (1, 2, 3)]


@functools.cache
def plain_run(name):
    """The last (parameters, state) on one device with unrolled layers."""
    return list(trajectory(full_options(name), START, GRADIENTS))[-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adamw", "lars", "larc", "lamb", "muon"])  # sgd, lars_simclr share their parts
def test_a_stack_of_layers_trains_as_the_layers_do(name):
    stacked, _ = list(trajectory(full_options(name), stack(START), [stack(g) for g in GRADIENTS]))[-1]
    assert_trees_close(stacked, stack(plain_run(name)[0]), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adamw", "lars", "lamb", "muon"])
def test_shards_give_the_same_updates(name):
    """fsdp=8: norms are those of whole parameters, and every leaf of the state is an array that has a place."""
    mesh = sharding.make_mesh(fsdp=8)
    rules = ((".*", sharding.shard_largest(min_size=1)),)
    tx = full_options(name)

    def layout(tree):
        return sharding.named(sharding.layout(tree, mesh, rules), mesh)

    assert layout(START)["head"]["kernel"].spec != P()  # the test shards something
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(tx.init(START)))
    place = lambda tree: jax.device_put(tree, layout(tree))  # noqa: E731
    shardings = layout(START), layout(jax.eval_shape(tx.init, START))
    shards = list(trajectory(tx, place(START), [place(g) for g in GRADIENTS], shardings))[-1]
    assert_trees_close(shards, plain_run(name), rtol=1e-4, atol=1e-5)


def test_a_constant_zero_weight_decay_keeps_no_counter():
    params = {"kernel": jnp.ones((2, 2))}
    assert len(jax.tree.leaves(make_optimizer("sgd", learning_rate=0.1, momentum=0.0).init(params))) == 0


# --- errors


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adam", {}, "no optimizer 'adam'; did you mean 'adamw'?"),
        ("sgd", {"momentun": 0.9}, "sgd has no option 'momentun'; did you mean 'momentum'?"),
        ("adamw", {"momentum": 0.9}, "adamw has no option 'momentum'; there are b1, b2, eps"),
        ("adamw", {"layer_decay": 0.7}, "layer_decay needs num_layers"),
    ],
)
def test_errors_name_what_to_do(name, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_optimizer(name, learning_rate=0.1, **options)


def test_vit_layer_knows_the_parameters_of_our_vit():
    from jssl.models import vit

    model = vit.ViT(patch_size=4, width=8, depth=2, heads=2, image_size=8, registers=1, positions="learned")
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3))))["params"]
    layers: dict = {}
    for path, _ in jax.tree_util.tree_leaves_with_path({"encoder": shapes, "head": {"kernel": 0}}):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        layers.setdefault(vit_layer(name, 2), []).append(name)
    embeddings = {n.split("/")[1] for n in layers[0]}
    assert embeddings == {"class_token", "registers", "pos_embed", "patch_embed"}
    assert all("block_0" in n for n in layers[1]) and all("block_1" in n for n in layers[2])
    assert sorted(layers[3]) == ["encoder/norm/bias", "encoder/norm/scale", "head/kernel"]
