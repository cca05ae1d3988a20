"""Uniform masks: a partition, its inverse, the authors' bookkeeping, uniform inclusion."""

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jssl import views


@pytest.mark.parametrize("num_patches, keep", [(16, 4), (49, 12), (5, 5)])
def test_partition_and_restore(num_patches, keep):
    kept, removed, restore, mask = jax.jit(views.random_mask, static_argnums=(1, 2))(
        jax.random.key(0), num_patches, keep
    )
    assert kept.shape == (keep,) and removed.shape == (num_patches - keep,)
    assert kept.dtype == removed.dtype == restore.dtype == jnp.int32 and mask.dtype == jnp.float32
    order = np.concatenate([kept, removed])
    assert sorted(order) == list(range(num_patches))
    np.testing.assert_array_equal(order[np.asarray(restore)], np.arange(num_patches))
    expected = np.ones(num_patches)
    expected[np.asarray(kept)] = 0
    np.testing.assert_array_equal(mask, expected)


def test_keys():
    kept = jax.jit(jax.vmap(lambda key: views.random_mask(key, 64, 16)[0]))(jax.random.split(jax.random.key(0), 8))
    assert len(np.unique(np.asarray(kept), axis=0)) == 8
    np.testing.assert_array_equal(kept[3], views.random_mask(jax.random.split(jax.random.key(0), 8)[3], 64, 16)[0])


def test_every_patch_and_every_place_is_equally_likely():
    kept = np.asarray(
        jax.jit(jax.vmap(lambda key: views.random_mask(key, 12, 3)[0]))(jax.random.split(jax.random.key(0), 6000))
    )
    for place in range(3):
        assert stats.chisquare(np.bincount(kept[:, place], minlength=12)).pvalue > 1e-3
    pairs = np.bincount(12 * kept[:, 0] + kept[:, 1], minlength=144).reshape(12, 12)
    assert pairs.trace() == 0
    assert stats.chisquare(pairs[~np.eye(12, dtype=bool)]).pvalue > 1e-3


@pytest.mark.golden
def test_matches_the_authors_code_given_their_noise():
    for name in golden.cases("mae"):
        case = golden.load("mae", name)
        if "noise" not in case.inputs:
            continue
        keep = int((case.out["mask"][0] == 0).sum())
        for noise, mask, restore in zip(case.inputs["noise"], case.out["mask"], case.out["ids_restore"]):
            ours = views.mask_from_noise(jnp.asarray(noise), keep)
            np.testing.assert_array_equal(ours[3], mask)
            np.testing.assert_array_equal(ours[2], restore)


@pytest.mark.parametrize("keep", [0, 17])
def test_impossible_keep(keep):
    with pytest.raises(ValueError, match=f"keep={keep} of 16"):
        views.random_mask(jax.random.key(0), 16, keep)
