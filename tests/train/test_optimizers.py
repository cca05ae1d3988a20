"""The rule of each optimiser, against the authors' trajectories and written-out formulas; errors."""

import re

import golden
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from trajectories import assert_trees_close, random_tree, trajectory

from jssl.train import schedules
from jssl.train.optimizers import build, make_optimizer

# --- the authors' trajectories


def steps_of(case, kind, prefix):
    """[{name: array}] over steps from ``<prefix>_<t>/<name>``."""
    arrays = getattr(case, kind)
    return [
        {
            re.sub(f"^{prefix}_{t}/", "", k): jnp.asarray(v, jnp.float32)
            for k, v in arrays.items()
            if k.startswith(f"{prefix}_{t}/")
        }
        for t in range(case.hyper["steps"])
    ]


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
        "lars",
        learning_rate=h["lr"],
        weight_decay=h["weight_decay"],
        momentum=h["momentum"],
        trust_coefficient=h["eta"],
        **options,
    )
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
        "lars_simclr",
        learning_rate=h["lr"],
        weight_decay=h["weight_decay"],
        momentum=h["momentum"],
        nesterov=h["use_nesterov"],
        trust_coefficient=h["eeta"],
        classic_momentum=h["classic_momentum"],
        exclude=lambda path, leaf: bool(excluded.search(path)),
    )
    runs = trajectory(tx, initial(case), steps_of(case, "inputs", "g"))
    for (params, _), p in zip(runs, steps_of(case, "out", "p"), strict=True):
        assert_trees_close(params, p, rtol=case.tolerance["param_rtol"], atol=case.tolerance["param_atol"])


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
    shapes = SHAPES | {"small": (6, 4), "zero": (3, 3)}
    start = random_tree(0, shapes) | {"zero": jnp.zeros((3, 3))}
    gradients = [g | {"small": 0.02 * g["small"]} for g in (random_tree(t, shapes) for t in range(1, 5))]
    p = {n: np.asarray(x, np.float64) for n, x in start.items()}
    buffer = {n: np.zeros_like(x) for n, x in p.items()}
    clipped = {n: [] for n in p}
    tx = make_optimizer("larc", learning_rate=lr, weight_decay=wd, trust_coefficient=trust)
    for t, (params, _) in enumerate(trajectory(tx, start, gradients)):
        for n in shapes:
            g = np.asarray(gradients[t][n], np.float64) + (wd * p[n] if n != "bias" else 0.0)
            if n != "bias" and np.any(p[n]):
                rate = trust * np.linalg.norm(p[n]) / np.linalg.norm(g)
                clipped[n].append(rate > lr(t))
                g = g if rate > lr(t) else g * rate / lr(t)
            buffer[n] = 0.9 * buffer[n] + g
            p[n] = p[n] - lr(t) * buffer[n]
        assert_trees_close(params, p, rtol=1e-5, atol=1e-6)
    assert all(clipped["small"]) and clipped["kernel"] == [True, False, False, False]


def test_lamb_is_optax_s():
    mask = {"kernel": True, "bias": False}
    theirs = optax.chain(
        optax.scale_by_adam(0.9, 0.99, 1e-6),
        optax.add_decayed_weights(0.01, mask),
        optax.masked(optax.scale_by_trust_ratio(), mask),
        optax.scale_by_learning_rate(0.1),
    )
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


def test_a_constant_zero_weight_decay_keeps_no_counter():
    params = {"kernel": jnp.ones((2, 2))}
    assert len(jax.tree.leaves(make_optimizer("sgd", learning_rate=0.1, momentum=0.0).init(params))) == 0


# --- the whole chain of a run


def test_clip_norm_clips_the_global_norm():
    params = {"a": jnp.zeros(2), "b": jnp.zeros((1, 1))}
    gradients = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([[4.0]])}
    tx = build("sgd", learning_rate=1.0, momentum=0.0, clip_norm=0.5)
    updates, _ = tx.update(gradients, tx.init(params), params)
    np.testing.assert_allclose(updates["a"], [-0.3, 0.0], rtol=1e-6)
    np.testing.assert_allclose(updates["b"], [[-0.4]], rtol=1e-6)


def test_clipping_comes_before_the_split():
    """The norm is that of the whole gradient, 5, and the constant rate stays while the schedule falls."""
    cosine = schedules.warmup_cosine(0.1, 0, 4)
    tx = build("sgd", learning_rate=cosine, clip_norm=1.0, constant_rate="^predictor", peak=0.1, momentum=0.0)
    params = {"encoder": jnp.zeros(1), "predictor": jnp.zeros(1)}
    gradient = {"encoder": jnp.array([3.0]), "predictor": jnp.array([4.0])}
    state, updates = tx.init(params), []
    for _ in range(4):
        step, state = tx.update(gradient, state, params)
        updates.append((float(step["encoder"][0]), float(step["predictor"][0])))
    encoder, predictor = zip(*updates)
    assert encoder == pytest.approx([-0.06 * x for x in (1.0, 0.853553, 0.5, 0.146447)], rel=1e-4)
    assert predictor == pytest.approx([-0.08] * 4, rel=1e-5)


def test_both_parts_have_the_options_and_the_weight_decay():
    """With one rate for all, the split changes nothing."""
    params = {"encoder": {"kernel": jnp.ones((2, 2))}, "predictor": {"kernel": jnp.ones((2, 2))}}
    options = {"weight_decay": 0.5, "constant_rate": "^predictor", "peak": 0.1, "b1": 0.0, "eps": 1.0}
    tx = build("adamw", learning_rate=0.1, **options)
    updates, _ = jax.jit(tx.update)(params, tx.init(params), params)
    for part in params:  # Adam's first step without momentum: g / (|g| + 1)
        np.testing.assert_allclose(updates[part]["kernel"], -0.1 * (0.5 + 0.5), rtol=1e-5)


def test_frozen_parameters_keep_still_and_the_rest_does_not():
    params = {"head": {"last": jnp.ones(1)}, "predictor": jnp.ones(1), "encoder": jnp.ones(1)}
    gradients = [jax.tree.map(jnp.ones_like, params)] * 4
    tx = build(
        "sgd",
        learning_rate=0.1,
        clip_norm=100.0,
        constant_rate="^predictor",
        peak=1.0,
        freeze="last|^predictor",
        freeze_for=2,
        momentum=0.0,
    )
    runs = [jax.tree.map(lambda x: round(float(x[0]), 5), p) for p, _ in trajectory(tx, params, gradients)]
    assert [run["encoder"] for run in runs] == [0.9, 0.8, 0.7, 0.6]
    assert [run["head"]["last"] for run in runs] == [1.0, 1.0, 0.9, 0.8]
    assert [run["predictor"] for run in runs] == [1.0, 1.0, 0.0, -1.0]


def test_a_chain_with_nothing_added_is_the_optimizer():
    start, gradients = random_tree(0, SHAPES), [random_tree(t, SHAPES) for t in (1, 2)]
    options = {"learning_rate": 0.1, "weight_decay": 0.01, "momentum": 0.8}
    plain = [p for p, _ in trajectory(make_optimizer("lars", **options), start, gradients)]
    for (params, _), p in zip(trajectory(build("lars", **options), start, gradients), plain, strict=True):
        assert_trees_close(params, p, rtol=0)


# --- errors


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adam", {}, "no optimizer 'adam'; did you mean 'adamw'?"),
        ("sgd", {"momentun": 0.9}, "sgd has no option 'momentun'; did you mean 'momentum'?"),
        ("adamw", {"momentum": 0.9}, "adamw has no option 'momentum'; there are b1, b2, eps"),
        ("adamw", {"layer_decay": 0.7}, "layer_decay needs num_layers"),
        ("sgd", {"constant_rate": "^predictor"}, "constant_rate='^predictor' needs peak, the learning rate of these"),
    ],
)
def test_errors_name_what_to_do(name, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build(name, learning_rate=0.1, **options)
