"""Which parameters an optimiser treats apart: layers, groups, biases and norms, frozen ones."""

import re

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from trajectories import trajectory

from jssl.models import vit
from jssl.train.groups import vit_layer, withhold
from jssl.train.optimizers import OPTIMIZERS, make_optimizer


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
    params = {
        our_path(n): jnp.ones(2 if n.endswith((".bias", "norm1.weight", "norm.weight")) else (1, 2, 2)) for n in names
    }
    assert len(params) == len(names)
    tx = make_optimizer(
        "sgd",
        learning_rate=1.0,
        weight_decay=h["weight_decay"],
        momentum=0.0,
        layer_decay=h["layer_decay"],
        num_layers=h["num_blocks"],
        exclude="pos_embed|class_token",
    )
    ones = jax.tree.map(jnp.ones_like, params)
    updates, _ = jax.jit(tx.update)(ones, tx.init(params), params)
    step = -(1.0 + case.out["weight_decay"]) * case.out["lr_scale"]
    np.testing.assert_allclose([np.ravel(updates[our_path(n)])[0] for n in names], step, rtol=1e-5)


def test_vit_layer_knows_the_parameters_of_our_vit():
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


def test_biases_and_norms_are_not_decayed():
    params = {
        "encoder": {"blocks": {"norm1": {"scale": jnp.ones((3, 4))}, "fc1": {"kernel": jnp.ones((3, 4, 4))}}},
        "norm": {"scale": jnp.ones(4)},
        "head": {"kernel": jnp.ones((4, 2)), "bias": jnp.ones(2)},
        "class_token": jnp.ones((1, 1, 4)),
    }
    zeros = jax.tree.map(jnp.zeros_like, params)

    @jax.jit
    def first_updates(params):
        chains = {name: make_optimizer(name, learning_rate=1.0, weight_decay=0.5) for name in OPTIMIZERS}
        chains["by name"] = make_optimizer("adamw", learning_rate=1.0, weight_decay=0.5, exclude="token|head")
        return {name: tx.update(zeros, tx.init(params), params)[0] for name, tx in chains.items()}

    decayed = jax.tree.map(lambda u: bool(np.any(u != 0)), first_updates(params))
    expected = {
        "encoder": {"blocks": {"norm1": {"scale": False}, "fc1": {"kernel": True}}},
        "norm": {"scale": False},
        "head": {"kernel": True, "bias": False},
        "class_token": True,
    }
    for name in OPTIMIZERS:
        assert decayed[name] == expected, name
    assert decayed["by name"] == expected | {"class_token": False, "head": {"kernel": False, "bias": False}}


def test_groups_scale_the_learning_rate():
    params = {"encoder": {"kernel": jnp.ones((2, 2))}, "predictor": {"kernel": jnp.ones((2, 2))}}
    runs = {g: make_optimizer("lars_simclr", learning_rate=0.1, groups=g and {"^predictor/": 10.0}) for g in (None, 1)}
    plain, grouped = ([p for p, _ in trajectory(tx, params, [params] * 3)] for tx in runs.values())
    change = jax.tree.map(lambda p, q: np.asarray(p - q), grouped[0], params)
    reference = jax.tree.map(lambda p, q: np.asarray(p - q), plain[0], params)
    np.testing.assert_allclose(change["encoder"]["kernel"], reference["encoder"]["kernel"], rtol=1e-5)
    np.testing.assert_allclose(change["predictor"]["kernel"], 10 * reference["predictor"]["kernel"], rtol=1e-3)


def test_updates_are_withheld_until_the_step():
    params = {"head": {"last_layer": jnp.ones((2, 2))}, "encoder": jnp.ones((2, 2))}
    tx = withhold(make_optimizer("adamw", learning_rate=0.1, weight_decay=0.1), "last_layer", until_step=2)
    free = make_optimizer("adamw", learning_rate=0.1, weight_decay=0.1)
    runs = list(zip(trajectory(tx, params, [params] * 4), trajectory(free, params, [params] * 4)))
    for step, ((p, _), (q, _)) in enumerate(runs):
        moved = bool(jnp.any(p["head"]["last_layer"] != params["head"]["last_layer"]))
        assert moved == (step >= 2), step
        np.testing.assert_array_equal(p["encoder"], q["encoder"])
