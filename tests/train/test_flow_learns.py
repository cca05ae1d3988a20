"""The flow that MC-JEPA learns without labels is nearer to the true one than no flow at all, where something moves."""

import jax
import pytest
from harness import OPTIMISED
from rows import LIGHT

from jssl import data, methods, sharding
from jssl.evaluation import Encoder, evaluate
from jssl.train import optimizers, schedules
from jssl.train.state import init_state
from jssl.train.step import make_train_step

CLIPS = "synthetic_clips:num_examples=320,frames=4,image_size=16,flow=1"
OPTIONS = {
    "video": {"size": 16, "frames": 4, "augment": LIGHT | {"crop_scale": (1.0, 1.0), "crop_ratio": (1.0, 1.0)}},
    "encoder": {"name": "resnet", "stage_sizes": (1, 1), "width": 8, "stem": "cifar"},
    "flow": {"width": 16, "depth": 2, "reach": 2},
    "motion": {"photometric": 20.0, "smoothness": 2.0, "edge": 5.0},
    "projector": (32, 16),
}
STEPS, BATCH = 150, 16


@pytest.mark.slow
def test_the_flow_of_what_moves_is_nearer_to_the_true_one_than_none():
    sources = {split: data.open_source(CLIPS, split) for split in ("train", "test")}
    method = methods.build("mc_jepa", spec=sources["train"].spec, about=sources["train"].about, **OPTIONS)
    mesh = sharding.make_mesh(jax.devices()[:1])
    tx = optimizers.build("adamw", learning_rate=schedules.warmup_cosine(1e-2, 10, STEPS), weight_decay=0.0)
    state, specs = init_state(method, tx, jax.random.key(0), sources["train"].spec, mesh)
    step = make_train_step(method, tx, mesh, specs, momentum=schedules.cosine(0.9, 1.0, STEPS))
    step = jax.jit(step, compiler_options=OPTIMISED)
    feed = data.ResidentFeed(sources["train"], mesh, seed=0, global_batch=BATCH)
    for number in range(STEPS):
        state, _ = step(state, feed.batch(number))
    found = evaluate({"x": Encoder(method.readouts, methods.weights(state), sources)}, protocols="flow")["x"]
    # 0.60, 0.71 and 0.74 with seeds 0, 1 and 2. Over all pixels, nine of ten at rest, no flow at all is still nearer.
    assert found["epe_moving"] < 0.85 * found["epe_still_moving"]
