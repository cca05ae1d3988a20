"""Recipes of tiny runs for the command, and what such a run ends with."""

import json
import pathlib

from harness import arrays
from rows import ROWS

from jssl import config, methods
from jssl.data.card import Card
from jssl.train import setup
from jssl.train.checkpoints import Checkpointer

RECIPE = """
from jssl.config import default_config

def get_config():
    config = default_config()
    config.method = {{"name": {name!r}, **{row!r}}}
    config.dtype, config.steps = "float32", {steps}
    config.data.source = {source!r}
    config.data.batch_size = 16
    config.optimizer.warmup = 2
    config.run.update({{"log_every": 3, "checkpoint_every": 4, "online_bank": 40, "online_queries": 16}})
    return config
"""
SOURCES = {
    ("text",): "synthetic_text:num_examples=80,length=32",
    ("captions",): "synthetic:num_examples=80,image_size=16,captions=2,caption_length=32",
    ("video", "audio"): "synthetic_clips:num_examples=80,image_size=16,frames=6,sound=4096",
    ("audio",): "synthetic_sound:num_examples=80,seconds=0.064",
    ("actions",): "synthetic_rooms:num_examples=80,image_size=16,frames=6",
    ("video",): "synthetic_clips:num_examples=80,image_size=16,frames=6",
}
"""What a method asks for, and the data that have it."""


def write_recipe(folder: pathlib.Path, name: str, steps: int) -> str:
    path = folder / f"{name}_{steps}.py"
    asks = methods.find(name).asks
    source = next(
        (made for those, made in SOURCES.items() if {*those} <= {*asks}), "synthetic:num_examples=80,image_size=16"
    )
    path.write_text(RECIPE.format(row=dict(ROWS[name]), name=name, steps=steps, source=source))
    return str(path)


def final_state(workdir):
    """(arrays, step) of the newest checkpoint."""
    card = Card.from_json(json.loads((workdir / "data.json").read_text()))
    run = setup.build(config.read_json(workdir / "config.json"), card)
    with Checkpointer(setup.checkpoint_folder(workdir), every=1) as checkpoints:
        state, _, step = checkpoints.restore(setup.abstract(run.init_state()[0]))
    return arrays(state), step
