import functools

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import spread
import torch_layout

from jssl.models import MLP, DINOHead


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("dino_head"))
def test_dino_head_matches_dino(name):
    case = golden.load("dino_head", name)
    hyper, x = case.hyper, case.inputs["x"]
    head = DINOHead(
        hidden=hyper["hidden_dim"],
        bottleneck=hyper["bottleneck_dim"],
        out_dim=hyper["out_dim"],
        layers=hyper["nlayers"],
        norm_last_layer=hyper["norm_last_layer"],
        batch_norm=hyper["use_bn"],
    )
    convert = functools.partial(
        torch_layout.dino_head, layers=hyper["nlayers"], batch_norm=hyper["use_bn"], gain=not hyper["norm_last_layer"]
    )
    variables = spread.variables(head, x)
    params = convert(torch_layout.under(case.inputs, "param/"))
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, variables["params"])

    def loss_of(params, x):
        y, _ = head.apply({**variables, "params": params}, x, train=True, mutable=["batch_stats"])
        return jnp.sum(y * case.inputs["cotangent"]), y

    (loss, y), (grad, grad_x) = jax.jit(jax.value_and_grad(loss_of, (0, 1), has_aux=True))(params, x)
    golden.assert_loss(y, case.out["y"], case.tolerance)
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grad_x, case.grad["x"], case.tolerance)
    expected = convert(torch_layout.under(case.grad, "param/"))
    jax.tree.map(lambda g, e: golden.assert_grad(g, e, case.tolerance), grad, expected)


def test_dino_head_at_zero():
    head = DINOHead(hidden=8, bottleneck=4, out_dim=5, norm_last_layer=False)
    params = jax.tree.map(np.zeros_like, spread.variables(head, jnp.ones((2, 3)))["params"])

    def loss_of(params, x):
        return jnp.sum(head.apply({"params": params}, x) ** 2 + head.apply({"params": params}, x))

    value, grad = jax.jit(jax.value_and_grad(loss_of, (0, 1)))(params, jnp.ones((2, 3)))
    assert value == 0
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grad))


def test_dino_logits_are_cosines_whatever_the_prototype_lengths():
    head = DINOHead(hidden=8, bottleneck=4, out_dim=6)
    x = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    params = spread.variables(head, x)["params"]
    assert set(params["last_layer"]) == {"kernel"}  # the gains are held at one
    longer = {**params, "last_layer": {"kernel": params["last_layer"]["kernel"] * 7.0}}
    apply = jax.jit(lambda params: head.apply({"params": params}, x))
    logits = apply(params)
    assert np.abs(logits).max() <= 1.0 + 1e-6
    assert np.abs(logits).max() > 0.01
    np.testing.assert_allclose(apply(longer), logits, rtol=1e-5, atol=1e-6)


def test_dino_head_bfloat16_has_float32_params_and_logits():
    x = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    head = DINOHead(hidden=16, bottleneck=8, out_dim=12, dtype=jnp.bfloat16, batch_norm=True)
    variables = spread.variables(head, x)
    assert {a.dtype for a in jax.tree.leaves(variables)} == {jnp.dtype("float32")}

    def loss_of(params, head):
        logits, _ = head.apply({**variables, "params": params}, x, train=True, mutable=["batch_stats"])
        return jnp.sum(logits**2), logits

    run = jax.jit(jax.grad(loss_of, has_aux=True), static_argnums=1)
    grad, logits = run(variables["params"], head)
    _, exact = run(variables["params"], head.clone(dtype=jnp.float32))
    assert logits.dtype == jnp.float32
    np.testing.assert_allclose(logits, exact, atol=0.05)
    assert {g.dtype for g in jax.tree.leaves(grad)} == {jnp.dtype("float32")}
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grad))


def test_mlp_layers():
    x = np.ones((6, 4), np.float32)

    def shapes(**options):
        variables = jax.eval_shape(lambda: MLP((5, 3), **options).init(jax.random.key(0), x))
        return jax.tree.map(lambda a: a.shape, variables)

    hidden = {"dense1": {"kernel": (4, 5)}, "norm1": {"scale": (5,), "bias": (5,)}}
    hidden_stats = {"norm1": {"mean": (5,), "var": (5,)}}
    assert shapes() == {"params": {**hidden, "dense2": {"kernel": (5, 3), "bias": (3,)}}, "batch_stats": hidden_stats}
    assert shapes(final_batch_norm=True) == {
        "params": {**hidden, "dense2": {"kernel": (5, 3)}},
        "batch_stats": {**hidden_stats, "norm2": {"mean": (3,), "var": (3,)}},
    }
    assert shapes(final_batch_norm=True, final_affine=True)["params"]["norm2"] == {"scale": (3,), "bias": (3,)}
    assert shapes(batch_norm=False) == {
        "params": {"dense1": {"kernel": (4, 5), "bias": (5,)}, "dense2": {"kernel": (5, 3), "bias": (3,)}}
    }


def test_mlp_is_the_formula():
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    mlp = MLP((5, 3), final_batch_norm=True)
    variables = spread.variables(mlp, x)
    y, _ = jax.jit(lambda v: mlp.apply(v, x, train=True, mutable=["batch_stats"]))(variables)

    def normalize(h):
        return (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5)

    params = jax.tree.map(np.float64, variables["params"])
    hidden = normalize(x @ params["dense1"]["kernel"]) * params["norm1"]["scale"] + params["norm1"]["bias"]
    expected = normalize(np.maximum(hidden, 0) @ params["dense2"]["kernel"])
    np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.parametrize("devices", [1, 2, 8])
def test_mlp_batch_norm_is_over_all_devices(devices):
    x = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32) + np.arange(16, dtype=np.float32)[:, None]
    cotangent = np.random.default_rng(1).normal(size=(16, 3)).astype(np.float32)
    mlp = MLP((5, 3), final_batch_norm=True, final_affine=True)
    variables = spread.variables(mlp, x)

    def run(variables, x, cotangent, *, axis_name=None):
        def loss_of(params):
            y, mutated = mlp.apply(
                {**variables, "params": params}, x, train=True, axis_name=axis_name, mutable=["batch_stats"]
            )
            loss = jnp.mean(y * cotangent)
            return loss if axis_name is None else jax.lax.pmean(loss, axis_name), (mutated, y)

        (_, (stats, y)), grad = jax.value_and_grad(loss_of, has_aux=True)(variables["params"])
        return y, stats, grad

    whole = jax.jit(run)(variables, x, cotangent)
    split = spread.on_devices(run, devices, (variables,), (x, cotangent), (True, False, False))
    spread.assert_trees_close(split, whole)
