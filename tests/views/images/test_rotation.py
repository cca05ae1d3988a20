"""Rotations: numpy's, nothing but moved pixels, and labels that are no easier to guess than one in four."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jssl import views

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)


def test_is_that_of_numpy_for_traced_turns():
    turned = jax.jit(jax.vmap(views.rotate_90, in_axes=(None, 0)))(IMAGE, jnp.arange(-1, 6))
    assert turned.dtype == np.uint8
    for turns, ours in zip(range(-1, 6), turned):
        np.testing.assert_array_equal(ours, np.rot90(IMAGE, turns))


def test_label_undoes_the_rotation_and_is_uniform():
    """The pixels are a permutation of the image's, bit by bit: there is no trace of resampling to read."""
    apply = jax.jit(jax.vmap(views.rotation, in_axes=(0, None)))
    keys = jax.random.split(jax.random.key(0), 2000)
    turned, labels = map(np.asarray, apply(keys, IMAGE))
    assert labels.dtype == np.int32 and stats.chisquare(np.bincount(labels, minlength=4)).pvalue > 1e-3
    for label in range(4):
        back = np.rot90(turned[labels == label], -label, axes=(1, 2))
        np.testing.assert_array_equal(back, np.broadcast_to(IMAGE, back.shape))
    again, _ = apply(keys, IMAGE)
    np.testing.assert_array_equal(again, turned)


def test_shape_does_not_give_the_answer_away():
    with pytest.raises(ValueError, match="square image, got 4 x 6"):
        views.rotation(jax.random.key(0), jnp.zeros((4, 6, 3)))
