"""Block-wise masks: against statistics of the authors' code, and their own promises."""

import functools
import math

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jssl import views


def draw(count, grid, **options):
    """(count, patches) masks."""
    one = functools.partial(views.block_mask, grid=grid, **options)
    return np.asarray(jax.jit(jax.vmap(lambda key: one(key)))(jax.random.split(jax.random.key(0), count)))


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("block_mask_stats"))
def test_has_the_recorded_statistics(name):
    case = golden.load("block_mask_stats", name)
    hyper, recorded = case.hyper, case.out["count_hist"]
    wanted = hyper["num_masking_patches"]
    masks = draw(
        hyper["n_draws"],
        hyper["grid"],
        num_masked=wanted,
        min_block=hyper["min_num_patches"],
        max_block=hyper["max_num_patches"],
        aspect=tuple(hyper["aspect"]),
    )
    counts = masks.sum(axis=1)
    assert counts.max() == wanted
    reference = np.repeat(np.arange(len(recorded)), recorded)
    error = math.sqrt(counts.var() / len(counts) + reference.var() / len(reference))
    assert abs(counts.mean() - reference.mean()) <= 4 * error
    ours = np.bincount(counts, minlength=len(recorded))
    full_or_not = [[histogram[wanted], histogram[:wanted].sum()] for histogram in (ours, recorded)]
    assert stats.chi2_contingency(full_or_not).pvalue > 1e-3
    # Closer than the 0.05 asked for: the standard error of a difference is at most 0.012.
    frequency = masks.mean(axis=0).reshape(hyper["grid"], hyper["grid"])
    np.testing.assert_allclose(frequency, case.out["position_frequency"], atol=0.045)


def test_one_block_has_the_drawn_area_and_aspect():
    """Area 12 and height / width 3 leave one size, 6 x 2: all places in an 8 x 5 grid are equally likely."""
    masks = draw(2000, (8, 5), num_masked=12, min_block=12, aspect=(3.0, 3.0)).reshape(-1, 8, 5)
    rows, columns = masks.any(axis=2), masks.any(axis=1)
    assert (masks == rows[:, :, None] & columns[:, None, :]).all()
    assert (rows.sum(axis=1) == 6).all() and (columns.sum(axis=1) == 2).all()
    places = np.bincount(4 * rows.argmax(axis=1) + columns.argmax(axis=1), minlength=12)
    assert len(places) == 12 and stats.chisquare(places).pvalue > 1e-3


@pytest.mark.slow
def test_number_may_be_traced_and_differ():
    def one(key, number):
        return views.block_mask(key, 8, num_masked=number)

    numbers = jnp.array([0, 1, 5, 20, 40, 60])
    keys = jax.random.split(jax.random.key(0), 6)
    function = jax.jit(jax.vmap(one))
    masks = function(keys, numbers)
    assert masks.shape == (6, 64) and masks.dtype == bool
    counts = np.asarray(masks.sum(axis=1))
    assert (counts <= numbers).all() and (counts >= np.asarray(numbers) - 6).all() and counts[1] == 1
    # An example's mask depends on its key and number alone.
    np.testing.assert_array_equal(masks[::-1], function(keys[::-1], numbers[::-1]))


def test_masked_count():
    def one(key):
        return views.masked_count(key, 100, ratio=(0.1, 0.5), probability=0.25)

    counts = np.asarray(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 4000)))
    assert counts.dtype == np.int32
    masked = counts[counts > 0]
    assert stats.binomtest(len(masked), 4000, 0.25).pvalue > 1e-3
    assert masked.min() == 10 and masked.max() == 49
    assert stats.chisquare(np.bincount(masked - 10, minlength=40)).pvalue > 1e-3


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(num_masked=65), "num_masked=65 of 64 patches"),
        (dict(num_masked=-1), "num_masked=-1"),
        (dict(aspect=(2.0, 1.0)), r"aspect=\(2.0, 1.0\)"),
        (dict(min_block=0), "min_block=0"),
        (dict(max_block=0), "max_block=0"),
    ],
)
def test_bad_options_are_one_line(options, message):
    with pytest.raises(ValueError, match=message) as error:
        views.block_mask(jax.random.key(0), 8, **{"num_masked": 10, **options})
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="ratio="):
        views.masked_count(jax.random.key(0), 64, ratio=(0.5, 1.5))
