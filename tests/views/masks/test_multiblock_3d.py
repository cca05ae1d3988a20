"""Masks over clips: the official sampler against statistics of the authors' code, the fixed one against its promises.

The authors draw block sizes once per batch, so batches are the independent unit of every comparison.
"""

import functools
import math

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import views


def dense(indices, filled, size):
    """(..., K) indices and flags -> (..., N) membership; filled slots come first, in rising order."""
    assert indices.dtype == np.int32 and filled.dtype == bool and not indices[~filled].any()
    assert (filled[..., :-1] | ~filled[..., 1:]).all()
    both = filled[..., 1:]
    assert (indices[..., 1:][both] > indices[..., :-1][both]).all()
    member = np.zeros((*indices.shape[:-1], size + 1), bool)
    np.put_along_axis(member, np.where(filled, indices, size), True, axis=-1)
    return member[..., :size]


def draw(num_batches, batch, grid, seed=0, **options):
    def one_batch(key):
        batch_key, example_key = jax.random.split(key)
        make = functools.partial(views.multi_block_3d, batch_key=batch_key, grid=grid, **options)
        masks = jax.vmap(lambda k: make(k))(jax.random.split(example_key, batch))
        return views.truncate_clip_masks(masks) if options.get("sampler") == "official" else masks

    def all_batches(keys):
        return jax.lax.map(one_batch, keys, batch_size=100)

    masks = jax.jit(all_batches)(jax.random.split(jax.random.key(seed), num_batches))
    masks = jax.tree.map(np.asarray, masks)
    size = math.prod(grid)
    return [
        dense(masks[name], masks[f"{name}_mask"], size).reshape(num_batches, batch, *grid)
        for name in ("context", "target")
    ]


def same_mean(ours, reference):
    """Means over batches within 4 standard errors."""
    error = math.sqrt(ours.var() / len(ours) + reference.var() / len(reference))
    assert abs(ours.mean() - reference.mean()) <= 4 * error + 1e-9


@pytest.mark.slow
@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("vjepa_mask_stats"))
def test_official_has_the_recorded_statistics(name):
    case = golden.load("vjepa_mask_stats", name)
    hyper = case.hyper
    context, target = draw(
        1500 if math.prod(hyper["grid"]) < 1000 else 600,
        hyper["B"],
        tuple(hyper["grid"]),
        sampler="official",
        num_blocks=hyper["num_blocks"],
        spatial_scale=tuple(hyper["spatial_scale"]),
        temporal_scale=tuple(hyper["temporal_scale"]),
        aspect=tuple(hyper["aspect_ratio"]),
        max_context_duration=hyper["max_temporal_keep"],
        context_size=hyper["max_keep"],
    )
    assert not (context & target).any()
    for ours, length, frequency in ((context, "enc_len", "enc"), (target, "pred_len", "pred")):
        lengths = ours.sum(axis=(2, 3, 4))
        assert (lengths == lengths[:, :1]).all() and lengths.min() > 0  # one length for a batch
        same_mean(lengths[:, 0].astype(float), case.out[length].astype(float))
        recorded = case.out[f"{frequency}_position_frequency"]
        np.testing.assert_allclose(ours.mean(axis=(0, 1)), recorded, atol=0.04)


@pytest.mark.slow
def test_official_loses_the_last_frames_first():
    context, target = draw(60, 4, (4, 6, 6), sampler="official", num_blocks=3, spatial_scale=(0.2, 0.4))
    lost = (~context & ~target).mean(axis=(0, 1, 3, 4))
    assert lost[0] <= lost[1] <= lost[2] < lost[3]


@pytest.mark.slow
def test_fixed_keeps_everything_that_fits_and_thins_at_random():
    grid = (4, 6, 6)
    context, target = draw(100, 2, grid, seed=1, num_blocks=2, spatial_scale=(0.3, 0.3), temporal_scale=(0.5, 1.0))
    assert (context ^ target).all()  # all of the clip is one or the other
    thinned, _ = draw(
        100, 2, grid, seed=1, num_blocks=2, spatial_scale=(0.3, 0.3), temporal_scale=(0.5, 1.0), context_size=50
    )
    np.testing.assert_array_equal(thinned.sum(axis=(2, 3, 4)), np.minimum(context.sum(axis=(2, 3, 4)), 50))
    assert not (thinned & ~context).any()
    lost = (context & ~thinned).mean(axis=(0, 1, 3, 4))
    assert lost.max() < 2 * lost.min() + 0.05  # no frame loses more than others
    # Blocks of a clip have sizes of their own: their durations differ, so the target is no stack of equal frames.
    assert (target[:, :, 0] != target[:, :, 3]).any()


def test_a_context_is_left_where_blocks_are_large():
    context, _ = draw(100, 2, (2, 2, 2), seed=2, num_blocks=8, spatial_scale=(0.5, 0.75), aspect=(0.5, 2.0))
    assert context.any(axis=(2, 3, 4)).all()


def test_distance_to_the_nearest_target():
    grid, rng = (3, 4, 5), np.random.default_rng(0)
    order = rng.permutation(60)
    masks = {"context": jnp.asarray(order[:9]), "context_mask": jnp.arange(9) < 7}
    masks |= {"target": jnp.asarray(order[20:24]), "target_mask": jnp.arange(4) < 3}
    at = np.stack(np.unravel_index(order, grid), -1)
    expected = [np.linalg.norm(at[i] - at[20:23], axis=1).min() for i in range(7)] + [0.0, 0.0]
    np.testing.assert_allclose(views.distance_to_target(masks, grid), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(sampler="oficial"), "sampler='oficial'"),
        (dict(sampler="official"), "batch_key"),
        (dict(spatial_scale=(0.2, 0.1)), r"spatial_scale=\(0.2, 0.1\)"),
        (dict(temporal_scale=(0.0, 1.0)), r"temporal_scale=\(0.0, 1.0\)"),
        (dict(aspect=(2.0, 1.0)), r"aspect=\(2.0, 1.0\)"),
        (dict(spatial_scale=(1.0, 1.0)), "a block may be the whole clip"),
        (dict(max_context_duration=0.0), "max_context_duration=0.0"),
        (dict(num_blocks=0), "num_blocks=0"),
    ],
)
def test_bad_options_are_one_line(options, message):
    with pytest.raises(ValueError, match=message) as error:
        views.multi_block_3d(jax.random.key(0), None, (4, 8, 8), **options)
    assert "\n" not in str(error.value)


def test_tubes_hide_the_same_places_in_every_frame_and_restore_puts_all_back():
    kept, removed, restore, mask = jax.jit(views.tube_mask, static_argnums=(1, 2))(jax.random.key(0), (3, 4, 5), 6)
    assert kept.dtype == removed.dtype == restore.dtype == jnp.int32 and mask.dtype == jnp.float32
    order = np.concatenate([kept, removed])
    np.testing.assert_array_equal(order[np.asarray(restore)], np.arange(60))
    frames = np.asarray(mask).reshape(3, 20)
    np.testing.assert_array_equal(frames, np.tile(frames[:1], (3, 1)))
    assert frames.sum(1).tolist() == [14.0] * 3 and not np.asarray(mask)[np.asarray(kept)].any()
