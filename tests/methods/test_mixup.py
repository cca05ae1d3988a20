"""Mixup of supervised training: the loss of mixed pictures, by hand, and on any number of devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jssl import methods, sharding
from jssl.data.source import About
from jssl.train.state import make_views

SPEC = {"image": jax.ShapeDtypeStruct((8, 8, 3), "uint8"), "label": jax.ShapeDtypeStruct((), "int32")}
VIT = {"name": "vit", "width": 8, "depth": 1, "heads": 2, "patch_size": 4}


@pytest.mark.slow
def test_the_loss_by_hand_on_one_device_and_on_two():
    about, image = About(class_names=("a", "b", "c")), {"size": 8}
    method = methods.build("supervised", spec=SPEC, about=about, image=image, encoder=VIT, mixup=0.8)
    rng = np.random.default_rng(0)
    batch = {
        "image": jnp.asarray(rng.integers(0, 256, (4, 8, 8, 3), np.uint8)),
        "label": jnp.array([0, 1, 2, 1], jnp.int32),
        "index": jnp.arange(4, dtype=jnp.int32),
    }
    views, keys = jax.jit(lambda batch: make_views(method, jax.random.key(0), 3, batch))(batch)
    params, extra = jax.jit(method.init)(jax.random.key(1), views)
    share = float(views["share"][0])
    assert 0 < share < 1 and (views["share"] == views["share"][0]).all()

    mixed = share * views["image"] + (1 - share) * jnp.roll(views["image"], 1, 0)
    logits = np.asarray(jax.jit(method.readouts["classifier"].apply)(params, extra, mixed).pooled, np.float64)
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    labels, rows = np.asarray(batch["label"]), np.arange(4)
    by_hand = -(share * logs[rows, labels] + (1 - share) * logs[rows, np.roll(labels, 1)]).mean()

    def loss(views, keys, axis_name):
        return method.loss(params, {}, extra, views, keys, step=3, axis_name=axis_name)[0]

    alone = jax.jit(lambda v, k: loss(v, k, None))(views, keys)
    mesh, axes = sharding.make_mesh(jax.devices()[:2]), sharding.AXES
    two = jax.shard_map(lambda v, k: loss(v, k, axes), mesh=mesh, in_specs=P(axes), out_specs=P())
    np.testing.assert_allclose(alone, by_hand, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(two)(views, keys), by_hand, rtol=1e-5)
