"""Correlations against a loop, and flows at other resolutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.models import FlowDecoder
from jssl.models.flow_decoder import correlation, resize_flow
from jssl.objectives import warp

RNG = np.random.default_rng(0)


def test_correlation_is_the_mean_product_with_each_neighbour():
    first, second = RNG.normal(size=(2, 2, 4, 5, 3)).astype(np.float32)
    found = np.asarray(correlation(first, second, 1))
    expected = np.zeros((2, 4, 5, 9))
    for b, i, j in np.ndindex(2, 4, 5):
        for shift, (down, right) in enumerate(np.ndindex(3, 3)):
            row, column = i + down - 1, j + right - 1
            if 0 <= row < 4 and 0 <= column < 5:
                expected[b, i, j, shift] = (first[b, i, j] * second[b, row, column]).mean()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_flow_at_another_resolution_is_in_its_pixels():
    ramp = np.broadcast_to(np.arange(4.0, dtype=np.float32)[:, None, None], (1, 4, 3, 2))  # of the rows
    found = resize_flow(ramp, (8, 3))
    assert found.shape == (1, 8, 3, 2)
    rows = [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
    np.testing.assert_allclose(found[0, :, 1, 0], rows, atol=1e-6)
    np.testing.assert_allclose(found[0, :, 1, 1], 2 * np.array(rows), atol=1e-6)


@pytest.mark.slow
def test_no_flow_is_longer_than_what_is_compared():
    model = FlowDecoder(warp, width=4, depth=1, reach=2)
    maps = [tuple(RNG.normal(size=(1, side, side, 3)).astype(np.float32) for side in (8, 4)) for _ in range(2)]
    params = jax.tree.map(lambda x: 100 * x, jax.jit(model.init)(jax.random.key(0), *maps))
    flow = jax.jit(model.apply)(params, *maps)
    assert flow.dtype == jnp.float32 and 2 < np.abs(flow).max() <= 2 * 2 + 2


def test_pyramids_of_other_shapes_are_refused():
    model = FlowDecoder(warp)
    maps = jnp.ones((1, 4, 4, 2)), jnp.ones((1, 2, 2, 2))
    with pytest.raises(ValueError, match=r"first frame are .*, those of the second"):
        model.init(jax.random.key(0), maps, maps[:1])
