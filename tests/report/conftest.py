"""A run that nobody has trained, and pictures of any size."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from jssl import sharding
from jssl.config import default_config
from jssl.data import open_source
from jssl.data.card import Card
from jssl.train import setup
from jssl.train.checkpoints import Checkpointer


@pytest.fixture(scope="package")
def photos(tmp_path_factory):
    """Seven pictures, each of its own size and aspect, in two classes."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(7):
        path = folder / ("dog" if number % 3 else "cat") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        picture = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8))
        picture.resize((30 + 5 * number, 60 - 3 * number)).save(path)
    return folder


@pytest.fixture(scope="package")
def workdir(tmp_path_factory):
    """BYOL with a tiny ViT at step 3, saved from eight devices, four of which share a copy; its data is gone."""
    folder = tmp_path_factory.mktemp("run") / "w"
    config = default_config()
    encoder = {"name": "vit", "width": 16, "depth": 1, "heads": 2, "patch_size": 8}
    config.method = {"name": "byol", "image": {"size": 16}, "encoder": encoder, "projector": (32, 8), "predictor": (8,)}
    config.dtype, config.fsdp, config.data.batch_size = "float32", 4, 16
    source = open_source("synthetic:num_examples=20,image_size=16")
    config.data.source = "folder:gone"
    run = setup.build(config, Card.of(source))
    state, _ = run.init_state()
    teacher = jax.tree.map(lambda x: 2 * x, state.teacher)  # to be told from the student
    state = state.replace(step=state.step + 3, teacher=teacher)
    assert run.mesh.shape["fsdp"] == 4 and sharding.AXES == ("data", "fsdp")
    with Checkpointer(setup.checkpoint_folder(folder), every=1) as checkpoints:
        checkpoints.save(3, state, {"config": config.to_dict(), "data": run.card.to_json()})
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    (folder / "data.json").write_text(json.dumps(run.card.to_json()))
    return folder
