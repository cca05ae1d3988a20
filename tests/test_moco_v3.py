"""What MoCo v3 does for a ViT and for a ResNet only."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from harness import SIZE
from rows import ROWS

from jssl import methods
from jssl.config import load_config
from jssl.train import setup

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"


def variables(row, **options):
    """(params, batch_stats) as shapes."""
    method = methods.build("moco_v3", image_size=SIZE, **ROWS[row] | options)
    batch = {"views": jnp.zeros((2, 2, SIZE, SIZE, 3))}
    params, extra = jax.eval_shape(method.init, jax.random.key(0), batch)
    return params, extra["batch_stats"]


def test_the_resnet_recipe_s_predictor_ends_without_batch_norm():
    option = load_config(str(CONFIGS / "moco_v3_resnet18_cifar10.py"), []).method.final_batch_norm
    _, ending = variables("moco_v3")
    _, open_ended = variables("moco_v3", final_batch_norm=option)
    assert len(ending["predictor"]) == len(ending["projector"]) == len(open_ended["projector"]) == 2
    assert len(open_ended["predictor"]) == 1


def test_the_vit_recipes_leave_the_patch_projection_as_it_is():
    params = jax.tree.map(lambda x: jnp.ones(x.shape), variables("moco_v3-vit")[0])
    for name in ("moco_v3_vit_tiny_cifar10", "moco_v3_vit_small_imagenet"):
        config = load_config(str(CONFIGS / f"{name}.py"), ["optimizer.warmup_steps=0"])
        assert config.optimizer.freeze_steps == config.steps
        tx = setup.make_optimizer(config)
        updates, _ = jax.jit(tx.update)(params, tx.init(params), params)
        still = {
            jax.tree_util.keystr(path, simple=True, separator="/")
            for path, update in jax.tree_util.tree_leaves_with_path(updates)
            if not np.any(update)
        }
        assert still == {"encoder/patch_embed/kernel", "encoder/patch_embed/bias"}
