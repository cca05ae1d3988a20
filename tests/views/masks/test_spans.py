"""Span masks: the authors' statistics, exact counts, and nothing past the true length."""

import functools

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import views


def keys(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("wav2vec2_span_mask_stats"))
def test_matches_the_statistics_of_the_authors_code(name):
    case = golden.load("wav2vec2_span_mask_stats", name)
    hyper = case.hyper
    frames, span, draws = hyper["sequence_length"], hyper["mask_length"], hyper["n_draws"]
    ranks = jax.jit(jax.vmap(functools.partial(views.span_ranks, num_frames=frames, span=span)))(keys(draws))
    # The number of spans is rounded up or down at random.
    expected = hyper["mask_prob"] * frames / span
    number = np.floor(expected + np.random.default_rng(0).random(draws))
    mask = np.asarray(ranks) < np.maximum(number, hyper["min_masks"])[:, None]
    fraction, deviation = case.out["mean_fraction"], case.out["std_fraction"]
    # The reference is a mean of draws as well, whose rounding is shared by groups of 20: 1,000 of them.
    error = 4 * deviation * (1 / np.sqrt(draws) + (1 / np.sqrt(draws / 20) if expected % 1 else 0))
    assert abs(mask.mean() - fraction) < error
    assert np.abs(mask.mean(0) - case.out["position_frequency"]).max() < 0.02
    assert mask.mean(1).std() == pytest.approx(deviation, rel=0.05)


def test_as_many_frames_in_every_example():
    draw = jax.jit(jax.vmap(functools.partial(views.span_mask, num_frames=60, count=27, span=10)))
    indices, kept, mask = map(np.asarray, draw(keys(500)))
    assert kept.all() and (mask.sum(1) == 27).all() and indices.dtype == np.int32
    for row, own in zip(indices, mask):
        np.testing.assert_array_equal(row, np.flatnonzero(own))
    # Spans of ten: the ends of a run of masked frames are at least ten apart, but for the one that is cut short.
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(int)
    for row in np.diff(padded, axis=1):
        runs = np.flatnonzero(row == -1) - np.flatnonzero(row == 1)
        assert (runs < 10).sum() <= 1
    # As the authors' masks do, they favour no place but the middle over the ends.
    frequency = mask.mean(0)
    assert np.abs(frequency - frequency[::-1]).max() < 0.1 and frequency[10:50].std() < 0.05


@pytest.mark.parametrize(("length", "expected"), [(60, 27), (30, 14), (8, 4), (1, 1)])
def test_only_true_frames_are_masked(length, expected):
    indices, kept, mask = jax.jit(
        jax.vmap(functools.partial(views.span_mask, num_frames=60, count=27, span=10), in_axes=(0,))
    )(keys(50), length=jnp.full(50, length))
    assert (np.asarray(mask).sum(1) == expected).all() and not np.asarray(mask)[:, length:].any()
    assert indices.shape == (50, 27) and (np.asarray(kept).sum(1) == expected).all()
    assert (np.take_along_axis(np.asarray(mask), np.asarray(indices), 1) == kept).all()


def test_others_are_all_but_oneself():
    others = np.asarray(views.other_indices(jax.random.key(0), 6, 2000, among=4))
    for own in range(4):
        counts = np.bincount(others[own], minlength=6)
        assert counts[own] == 0 and not counts[4:].any()
        assert np.delete(counts[:4], own).min() > 500
    assert not views.other_indices(jax.random.key(0), 6, 20, among=1).any()


def test_wrong_arguments():
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="span=10 of 9 frames: use 1 to 9"):
        views.span_mask(key, 9, count=3, span=10)
    with pytest.raises(ValueError, match="0 of 9 frames to mask: use 1 to 9"):
        views.span_mask(key, 9, count=0, span=3)
