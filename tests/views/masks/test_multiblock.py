"""Multi-block masks: the official sampler against statistics of the authors' code, the fixed one against its promises.

Block sizes are drawn once per batch by the authors, so batches are the independent unit of every comparison.
"""

import functools
import math

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P
from scipy import stats

from jssl import views


def dense(indices, filled, num_patches):
    """(..., K) indices and flags to (..., N) membership; checks order, range, padding and uniqueness on the way."""
    assert indices.dtype == np.int32 and filled.dtype == bool
    assert (indices[~filled] == 0).all() and (indices >= 0).all() and (indices < num_patches).all()
    # Filled slots come first, in strictly rising (raster) order.
    assert (filled[..., :-1] | ~filled[..., 1:]).all()
    both = filled[..., 1:]
    assert (indices[..., 1:][both] > indices[..., :-1][both]).all()
    member = np.zeros((*indices.shape[:-1], num_patches), bool)
    np.put_along_axis(member, indices, filled, axis=-1)  # slot 0 last: padding must not erase patch 0
    member[..., 0] = ((indices == 0) & filled).any(axis=-1)
    return member


def draw(num_batches, batch, grid, seed=0, **options):
    """(num_batches, batch, ...) masks; every batch has its own batch key."""

    def one_batch(key):
        batch_key, example_key = jax.random.split(key)
        masks = jax.vmap(lambda k: views.multi_block(k, batch_key, grid, **options))(
            jax.random.split(example_key, batch)
        )
        return views.truncate_context(masks) if options.get("sampler") == "official" else masks

    masks = jax.jit(jax.vmap(one_batch))(jax.random.split(jax.random.key(seed), num_batches))
    return jax.tree.map(np.asarray, masks)


def same_mean(ours, reference):
    """Means over batches within 4 standard errors."""
    error = math.sqrt(ours.var() / len(ours) + reference.var() / len(reference))
    assert abs(ours.mean() - reference.mean()) <= 4 * error


def same_counts(ours, reference):
    """Two samples of whole numbers come from one distribution (chi-square; rare values are pooled)."""
    values = np.unique(np.concatenate([ours, reference]))
    table = np.array([[(sample == value).sum() for value in values] for sample in (ours, reference)])
    common = table.sum(axis=0) >= 20
    table = np.concatenate([table[:, common], table[:, ~common].sum(axis=1, keepdims=True)], axis=1)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] > 1:
        assert stats.chi2_contingency(table).pvalue > 1e-3


@functools.cache
def official(name):
    hyper = golden.load("ijepa_mask_stats", name).hyper
    return draw(
        2000,
        hyper["B"],
        tuple(hyper["grid"]),
        sampler="official",
        num_targets=hyper["npred"],
        target_scale=tuple(hyper["pred_mask_scale"]),
        target_aspect=tuple(hyper["aspect_ratio"]),
        context_scale=tuple(hyper["enc_mask_scale"]),
        min_keep=hyper["min_keep"],
        allow_overlap=hyper["allow_overlap"],
    )


def official_members(name):
    masks, grid = official(name), golden.load("ijepa_mask_stats", name).hyper["grid"]
    size = math.prod(grid)
    context = dense(masks["context"], masks["context_mask"], size).reshape(2000, -1, *grid)
    target = dense(masks["target"], masks["target_mask"], size).reshape(2000, context.shape[1], -1, *grid)
    return context, target


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("ijepa_mask_stats"))
def test_official_has_the_recorded_statistics(name):
    case = golden.load("ijepa_mask_stats", name)
    context, target = official_members(name)
    context_length, target_length = context.sum(axis=(2, 3)), target.sum(axis=(3, 4))
    # One length for all contexts of a batch, and one for all its targets.
    assert (context_length == context_length[:, :1]).all() and (target_length == target_length[:, :1, :1]).all()
    for ours, reference in ((context_length[:, 0], "enc_len"), (target_length[:, 0, 0], "pred_len")):
        same_mean(ours, case.out[reference].astype(float))
        same_counts(ours, case.out[reference])
    # Heights and widths: targets are never truncated, so their extent is the block.
    block = np.stack([target[:, 0, 0].any(axis=2).sum(axis=1), target[:, 0, 0].any(axis=1).sum(axis=1)], axis=1)
    same_counts(block @ [100, 1], case.out["pred_block_hw"] @ np.array([100, 1]))
    assert {tuple(b) for b in block} == {tuple(map(int, b)) for b in case.out["pred_block_hw"]}
    np.testing.assert_allclose(target.mean(axis=(0, 1, 2)), case.out["pred_position_frequency"], atol=0.03)
    np.testing.assert_allclose(context.mean(axis=(0, 1)), case.out["enc_position_frequency"], atol=0.03)
    # Recorded as one number over 3000 batches: its own error is that of ours.
    union = target.any(axis=2).sum(axis=(2, 3)).mean(axis=1)
    assert abs(union.mean() - case.out["pred_union_mean"]) <= 4 * union.std() * math.sqrt(1 / 2000 + 1 / 3000)
    overlap = (context & target.any(axis=2)).sum(axis=(2, 3)).mean(axis=1) / context_length[:, 0]
    assert abs(overlap.mean() - case.out["overlap_fraction"]) <= 4 * overlap.std() * math.sqrt(1 / 2000 + 1 / 3000)


@pytest.mark.parametrize("name", golden.cases("ijepa_mask_stats"))
def test_official_keeps_the_quirks(name):
    context, target = official_members(name)
    # No target touches the last row or column, and a context block is at most a side minus one.
    assert not target[..., -1, :].any() and not target[..., :, -1].any()
    assert context.any(axis=3).sum(axis=2).max() == context.shape[2] - 1
    # One path from low and wide to tall and narrow: a tall block is never small (that the two are drawn by one number).
    block = np.stack([target[:, 0, 0].any(axis=2).sum(axis=1), target[:, 0, 0].any(axis=1).sum(axis=1)], axis=1)
    sizes = {tuple(map(int, b)) for b in block}
    assert min(sizes)[1] == max(w for _, w in sizes) and len(sizes) <= 6
    # Sizes are those of the batch, positions those of the example.
    assert len(sizes) > 1
    assert (target[:, 0] != target[:, 1]).any(axis=(1, 2, 3)).mean() > 0.9


def test_official_context_is_truncated_in_raster_order():
    context, target = official_members("c00")
    lost = ~context & ~target.any(axis=2)
    assert lost[:, :, 10:].mean() > 2 * lost[:, :, 2:6].mean()


def test_official_context_never_meets_targets():
    context, target = official_members("c00")
    assert not (context & target.any(axis=2)).any()


@pytest.mark.slow
def test_official_spares_the_last_targets_when_too_little_is_left():
    """A 7 x 7 context has one place in an 8 x 8 grid, so what the retries give is known: drop targets from the end."""
    masks = draw(
        400,
        1,
        8,
        sampler="official",
        target_scale=(0.4, 0.4),
        target_aspect=(1.0, 1.0),
        context_scale=(0.8, 0.8),
        min_keep=15,
    )
    context = dense(masks["context"], masks["context_mask"], 64)[:, 0, 0].reshape(-1, 8, 8)
    target = dense(masks["target"], masks["target_mask"], 64)[:, 0].reshape(-1, 4, 8, 8)
    block = np.zeros((8, 8), bool)
    block[:7, :7] = True
    barred = []
    for ours, targets in zip(context, target):
        for count in range(4, -1, -1):
            expected = block & ~targets[:count].any(axis=0)
            if expected.sum() > 15:
                break
        np.testing.assert_array_equal(ours, expected)
        barred.append(count)
    assert {2, 3, 4} <= set(barred)


@functools.cache
def fixed():
    return draw(500, 4, 12, seed=1, context_size=70)


def fixed_members():
    masks = fixed()
    context = dense(masks["context"], masks["context_mask"], 144).reshape(2000, 12, 12)
    return context, dense(masks["target"], masks["target_mask"], 144).reshape(2000, 4, 12, 12)


def test_fixed_shapes_and_disjoint_context():
    masks, (context, target) = fixed(), fixed_members()
    assert masks["context"].shape == (500, 4, 1, 70) and masks["target"].shape[:3] == (500, 4, 4)
    # Slots hold the largest block that occurs, and no more.
    assert masks["target"].shape[3] == target.sum(axis=(2, 3)).max()
    assert not (context & target.any(axis=1)).any()
    assert (context.sum(axis=(1, 2)) >= 10).all() and (context.sum(axis=(1, 2)) == 70).any()


def blocks(target):
    """Height, width, top, left of every target, each (..., M); checks that targets are full rectangles."""
    rows, columns = target.any(axis=-1), target.any(axis=-2)
    assert (target == rows[..., :, None] & columns[..., None, :]).all()
    return rows.sum(axis=-1), columns.sum(axis=-1), rows.argmax(axis=-1), columns.argmax(axis=-1)


@pytest.mark.slow
def test_fixed_sizes_are_independent_uniforms():
    height, width, *_ = blocks(fixed_members()[1])
    rng = np.random.default_rng(0)
    area, aspect = 144 * rng.uniform(0.15, 0.2, 40_000), rng.uniform(0.75, 1.5, 40_000)
    expected = np.round(np.sqrt(area * aspect)) * 100 + np.round(np.sqrt(area / aspect))
    # One target per example: all are independent. Every place in the list has the same distribution.
    for m in range(4):
        same_counts((height * 100 + width)[:, m], expected.astype(int))
    # Sizes differ between the targets of an image.
    assert (np.ptp(height * 100 + width, axis=1) > 0).mean() > 0.9


def test_fixed_blocks_reach_every_border_and_are_uniform():
    height, width, top, left = (x[:, 0] for x in blocks(fixed_members()[1]))
    assert (top + height).max() == (left + width).max() == 12 and top.min() == left.min() == 0
    for start, length in ((top, height), (left, width)):
        common = np.bincount(length).argmax()
        counts = np.bincount(start[length == common], minlength=12 - common + 1)
        assert len(counts) == 12 - common + 1 and stats.chisquare(counts).pvalue > 1e-3


def test_fixed_context_loses_random_patches():
    """What is lost has no direction: first and last rows, and columns, are kept equally often."""
    context, _ = fixed_members()
    half = [context[:, :6], context[:, 6:], context[:, :, :6], context[:, :, 6:]]
    half = [x.sum(axis=(1, 2)).astype(float) for x in half]
    for first, last in (half[:2], half[2:]):
        difference = first - last
        assert abs(difference.mean()) < 4 * difference.std() / math.sqrt(len(difference))


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["fixed", "official"])
def test_contexts_differ_and_the_first_is_that_of_one(sampler):
    one, two = (draw(1, 20, 12, sampler=sampler, context_scale=(0.4, 0.5), num_contexts=n) for n in (1, 2))
    np.testing.assert_array_equal(one["target"], two["target"])
    shortest = two["context_mask"].sum(-1).min()
    np.testing.assert_array_equal(two["context"][:, :, :1, :shortest], one["context"][..., :shortest])
    context = dense(two["context"], two["context_mask"], 144)
    target = dense(two["target"], two["target_mask"], 144)
    assert (context[:, :, 0] != context[:, :, 1]).any(-1).mean() > 0.5
    assert not (context & target.any(2)[:, :, None]).any() or sampler == "official"


@pytest.mark.slow
def test_fixed_ignores_the_batch():
    apply = jax.jit(functools.partial(views.multi_block, grid=12, context_size=70))
    keys = jax.random.split(jax.random.key(0), 3)
    first = apply(keys[0], None)
    for other in (apply(keys[0], keys[1]), views.multi_block(keys[0], None, 12, context_size=70)):  # jit and eager
        jax.tree.map(np.testing.assert_array_equal, first, other)
    assert (apply(keys[1], None)["target"] != first["target"]).any()


def test_fixed_leaves_a_context_when_targets_crowd_the_grid():
    masks = draw(300, 1, (4, 6), target_scale=(0.5, 0.6), context_scale=(0.3, 0.4), min_keep=6)
    context, target = (
        dense(masks["context"], masks["context_mask"], 24)[:, :, 0],
        dense(masks["target"], masks["target_mask"], 24),
    )
    assert not (context & target.any(axis=2)).any()
    enough = context.sum(axis=-1) >= 6
    # Where fewer are kept, no more were left outside the targets.
    assert (enough | (context == ~target.any(axis=2)).all(axis=-1)).all() and enough.mean() > 0.5


def test_truncate_context_over_devices_is_the_global_minimum():
    lengths = np.array([5, 7, 6, 3, 8, 8, 4, 6])
    mask = jnp.arange(8)[None, :] < jnp.asarray(lengths)[:, None]
    masks = {"context": jnp.where(mask, 5, 0), "context_mask": mask, "image": jnp.ones((8, 1))}
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:4])
    cut = jax.jit(
        jax.shard_map(
            functools.partial(views.truncate_context, axis_name="data"),
            mesh=mesh,
            in_specs=P("data"),
            out_specs=P("data"),
        )
    )(masks)
    np.testing.assert_array_equal(cut["context_mask"], np.tile(np.arange(8) < 3, (8, 1)))
    np.testing.assert_array_equal(cut["context_mask"], views.truncate_context(masks)["context_mask"])
    np.testing.assert_array_equal(cut["context"], np.tile(5 * (np.arange(8) < 3), (8, 1)))
    np.testing.assert_array_equal(cut["image"], masks["image"])


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(sampler="oficial"), "sampler='oficial'"),
        (dict(sampler="official", batch_key=None), "batch_key"),
        (dict(sampler="official", grid=8), "min_keep=10, but a block may have 9 patches"),
        (dict(target_scale=(0.2, 0.1)), "scale=\\(0.2, 0.1\\)"),
        (dict(context_scale=(0.5, 1.5)), "scale=\\(0.5, 1.5\\)"),
    ],
)
def test_bad_options_are_one_line(options, message):
    options = {"grid": 14, "batch_key": jax.random.key(0), **options}
    with pytest.raises(ValueError, match=message) as error:
        views.multi_block(jax.random.key(0), **options)
    assert "\n" not in str(error.value)
