"""Bands as targets: whole, in their ranges, apart from the context, and refused where they leave none."""

import functools

import jax
import numpy as np
import pytest

from jssl import views

GRID = (12, 8)  # rows of time, columns of frequency


def drawn(count=200, **options):
    """(M, N) and (C, N) bool of each of some examples: what is a target, what is context; and the masks."""
    draw = jax.jit(jax.vmap(functools.partial(views.multi_band, grid=GRID, **options)))
    masks = jax.tree.map(np.asarray, draw(jax.random.split(jax.random.key(0), count)))

    def present(name):
        return np.array(
            [
                [np.isin(np.arange(GRID[0] * GRID[1]), slots[held]) for slots, held in zip(*example)]
                for example in zip(masks[name], masks[f"{name}_mask"])
            ]
        )

    return present("target"), present("context"), masks


def test_bands_are_whole_and_as_wide_as_asked_and_the_context_is_all_else():
    target, context, _ = drawn(num_time=2, num_frequency=1, time_scale=(0.1, 0.3), frequency_scale=(0.25, 0.25))
    bands = target.reshape(-1, 3, *GRID)
    rows, columns = bands.any(3), bands.any(2)
    assert np.array_equal(bands[:, :2], np.broadcast_to(rows[:, :2, :, None], bands[:, :2].shape))
    assert np.array_equal(bands[:, 2], np.broadcast_to(columns[:, 2, None, :], bands[:, 2].shape))
    widths = rows[:, :2].sum(2)
    assert set(widths.ravel()) == {1, 2, 3, 4} and set(columns[:, 2].sum(1)) == {2}
    for ones in (rows[:, :2].reshape(-1, GRID[0]), columns[:, 2]):  # neighbours: each begins once
        assert set((np.diff(ones.astype(int), prepend=0, axis=1) == 1).sum(1)) == {1}
        assert ones.any(0).all()  # and anywhere
    assert np.array_equal(context[:, 0], ~target.any(1))


def test_each_context_loses_patches_of_its_own_where_it_is_too_long():
    target, context, masks = drawn(num_contexts=2, context_size=20)
    assert masks["context"].shape == (200, 2, 20) and masks["context_mask"].all()
    assert not (context & target.any(1)[:, None]).any() and (context.sum(2) == 20).all()
    assert (context[:, 0] != context[:, 1]).any(1).mean() > 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_time": 0, "num_frequency": 0}, "use at least one band"),
        ({"time_scale": (0.0, 0.2)}, "time_scale=.*need 0 < low <= high <= 1"),
        (
            {"frequency_scale": (0.5, 0.5)},
            "2 bands of up to 4 of 8 patches may leave no context; lower frequency_scale",
        ),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        views.multi_band(jax.random.key(0), GRID, **options)
