"""What MoCo v3 does for a ViT and for a ResNet only."""

import pathlib

import harness
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.config import load_config
from jssl.train import setup

RECIPE = str(pathlib.Path(__file__).parents[2] / "configs" / "moco_v3.py")


def variables(row, **options):
    """(params, batch_stats) as shapes."""
    method = harness.build(row, **options)
    batch = {"views": jnp.zeros((2, 2, harness.SIZE, harness.SIZE, 3))}
    params, extra = jax.eval_shape(method.init, jax.random.key(0), batch)
    return params, extra["batch_stats"]


def test_the_resnet_recipe_s_predictor_ends_without_batch_norm():
    option = load_config(f"{RECIPE}:resnet18", []).method.final_batch_norm
    _, ending = variables("moco_v3")
    _, open_ended = variables("moco_v3", final_batch_norm=option)
    assert len(ending["predictor"]) == len(ending["projector"]) == len(open_ended["projector"]) == 2
    assert len(open_ended["predictor"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["vit_tiny", "vit_small"])
def test_the_vit_recipes_leave_the_patch_projection_as_it_is(variant):
    params = jax.tree.map(lambda x: jnp.ones(x.shape), variables("moco_v3-vit")[0])
    config = setup.resolve_lengths(load_config(f"{RECIPE}:{variant}", ["optimizer.warmup=0"]), 50_000)
    assert config.optimizer.freeze_for == config.steps
    tx = setup.make_optimizer(config)
    updates, _ = jax.jit(tx.update)(params, tx.init(params), params)
    still = {
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, update in jax.tree_util.tree_leaves_with_path(updates)
        if not np.any(update)
    }
    assert still == {"encoder/patch_embed/kernel", "encoder/patch_embed/bias"}
