import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.models import positions

TABLES = [name for name in golden.cases("mae") if name.startswith("p")]


@pytest.mark.golden
@pytest.mark.parametrize("name", TABLES)
def test_matches_mae(name):
    case = golden.load("mae", name)
    expected = case.out["pos_embed"][int(case.hyper["cls_token"]) :]  # the class token's row is zero
    table = positions.sincos_2d(case.hyper["embed_dim"], case.hyper["grid"])
    np.testing.assert_allclose(table, expected, atol=case.tolerance["abs"], rtol=0)


def test_width_must_be_divisible_by_four():
    with pytest.raises(ValueError, match="divisible by 4, got 6"):
        positions.sincos_2d(6, 2)


def test_native_size_is_the_table_itself():
    table = jnp.asarray(positions.sincos_2d(8, 4))[None]
    assert positions.resample(table, (4, 4)) is table


@pytest.mark.parametrize("grid", [(8, 8), (12, 6), (4, 9)])
def test_resampling_keeps_a_plane(grid):
    """A table that is linear in row and column stays so, away from the border where the kernel is cut off."""
    side = 6
    row, column = np.mgrid[:side, :side].reshape(2, 1, -1, 1).astype(np.float32)
    table = np.concatenate([row, column], -1)
    resized = np.asarray(positions.resample(jnp.asarray(table), grid)).reshape(*grid, 2)
    expected = np.stack(np.meshgrid(*((np.arange(n) + 0.5) * side / n - 0.5 for n in grid), indexing="ij"), -1)
    inner = np.all((expected >= 1) & (expected <= side - 2), -1)
    assert inner.sum() >= 4
    np.testing.assert_allclose(resized[inner], expected[inner], atol=1e-5)


def test_shrinking_does_not_blur():
    """From 4 to 2 patches each new value is a mix of 4 x 4 old ones only, with the kernel's weights -1/16 and 9/16."""
    table = np.random.default_rng(0).normal(size=(1, 16, 1)).astype(np.float32)
    weights = np.array([[9, 9, -1, 0], [0, -1, 9, 9]], np.float64)  # cut at the border and normalised there
    weights /= weights.sum(1, keepdims=True)
    expected = weights @ table.reshape(4, 4) @ weights.T
    np.testing.assert_allclose(positions.resample(jnp.asarray(table), (2, 2)).reshape(2, 2), expected, atol=1e-6)


def test_take_tokens():
    tokens = jnp.arange(12.0).reshape(2, 3, 2)
    taken = jax.jit(positions.take_tokens)(tokens, jnp.array([[2, 0], [1, 1]]))
    np.testing.assert_array_equal(taken, [[[4, 5], [0, 1]], [[8, 9], [8, 9]]])
    assert np.isnan(positions.take_tokens(tokens, jnp.array([[3], [0]]))[0]).all()


def test_places_restart_with_every_segment():
    segments = jnp.array([[1, 1, 1, 2, 3, 3, 0, 0], [0, 0, 1, 1, 2, 2, 2, 2]])
    places = jax.jit(positions.within_segments)(segments)
    assert places.dtype == jnp.int32
    np.testing.assert_array_equal(places, [[0, 1, 2, 0, 0, 1, 0, 1], [0, 1, 0, 1, 0, 1, 2, 3]])


def test_rotation_by_hand():
    """Channels (0, 2) turn by the place itself, (1, 3) by a hundredth of it."""
    x = np.array([1.0, 0.0, 0.0, 2.0], np.float32).reshape(1, 1, 1, 4)
    turned = positions.rotate(jnp.asarray(x), positions.rotary_angles(jnp.array([[3]]), 4))
    np.testing.assert_allclose(turned[0, 0, 0], [np.cos(3), -2 * np.sin(0.03), np.sin(3), 2 * np.cos(0.03)], rtol=1e-5)


def test_a_table_need_not_be_square():
    square = positions.sincos_2d(8, 5).reshape(5, 5, 8)
    table = positions.sincos_2d(8, (3, 5))
    np.testing.assert_array_equal(table.reshape(3, 5, 8), square[:3])
    rows = jnp.asarray(table)[None]
    assert positions.resample(rows, (3, 5), (3, 5)) is rows and positions.resample(rows, (6, 5), (3, 5)).shape[1] == 30
