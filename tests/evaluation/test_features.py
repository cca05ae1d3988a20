"""Feature extraction: order, padding, one compilation, any devices."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import sharding
from jssl.evaluation import extract
from jssl.views import eval_view

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 8, 8, 3), np.uint8)


def encode(scale, images):
    """(B, 2): depends on the image and on nothing else."""
    return scale * jnp.stack([images.mean((1, 2, 3)), images[:, 0, 0, 0]], 1)


def as_float(key, image):
    del key
    return image.astype(jnp.float32) / 255


EXPECTED = 2.0 * np.stack([IMAGES.mean((1, 2, 3)), IMAGES[:, 0, 0, 0]], 1) / 255


@pytest.mark.parametrize("batch_size", [1, 4, 11, 64])
def test_every_image_once_in_order(batch_size):
    features = extract(encode, jnp.float32(2.0), IMAGES, view=as_float, batch_size=batch_size)
    assert features.dtype == np.float32 and isinstance(features, np.ndarray)
    np.testing.assert_allclose(features, EXPECTED, rtol=1e-5)


def test_devices_change_nothing():
    mesh = sharding.make_mesh(fsdp=2)
    layout = sharding.batch_sharding(mesh)
    features = extract(encode, jnp.float32(2.0), IMAGES, view=as_float, batch_size=8, sharding=layout)
    np.testing.assert_allclose(features, EXPECTED, rtol=1e-5)


def test_one_compilation_for_all_batches_and_all_checkpoints():
    chex.clear_trace_counter()
    once = chex.assert_max_traces(encode, 1)
    for scale in (1.0, 2.0):
        for count in (11, 5):
            features = extract(once, jnp.float32(scale), IMAGES[:count], view=as_float, batch_size=4)
            np.testing.assert_allclose(features, EXPECTED[:count] * scale / 2, rtol=1e-5)


def test_the_evaluation_view_compiles_once_however_often_it_is_made():
    chex.clear_trace_counter()
    once = chex.assert_max_traces(lambda images: images.reshape(len(images), -1), 1)
    runs = [extract(once, IMAGES, view=eval_view(8), batch_size=4) for _ in range(2)]
    assert runs[0].shape == (11, 192)
    np.testing.assert_array_equal(runs[0], runs[1])


def test_bfloat16_features_come_back_as_float32():
    features = extract(lambda x: x.mean((1, 2)).astype(jnp.bfloat16), IMAGES.astype(np.float32), batch_size=4)
    assert features.dtype == np.float32 and features.shape == (11, 3)


def test_errors_name_what_does_not_fit():
    mesh = sharding.make_mesh(jax.devices()[:4])
    with pytest.raises(ValueError, match="no images"):
        extract(encode, jnp.float32(1.0), IMAGES[:0])
    with pytest.raises(ValueError, match="batch_size=6 is not a multiple of the 4 devices"):
        extract(encode, jnp.float32(1.0), IMAGES, batch_size=6, sharding=sharding.batch_sharding(mesh))
    with pytest.raises(ValueError, match=r"must give \(B, D\) features, not \(4, 8, 8, 3\)"):
        extract(lambda images: images, IMAGES, batch_size=4)
