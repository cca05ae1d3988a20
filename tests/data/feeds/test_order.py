import numpy as np
import pytest

from jssl.data import batch_indices, index_at

FROZEN = [[32293, 2582, 40502, 46117, 39795, 12905, 16988, 21141], [144, 509, 380, 22, 274, 374, 805, 357]]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 17, 100, 1000])
def test_every_example_once_per_epoch(size):
    epochs = index_at(7, np.arange(3 * size), size).reshape(3, size)
    np.testing.assert_array_equal(np.sort(epochs, 1), np.tile(np.arange(size), (3, 1)))
    if size >= 16:
        assert not np.array_equal(epochs[0], epochs[1])
        assert not np.array_equal(epochs[0], np.arange(size))


def test_batches_walk_through_the_epochs_without_gap_or_overlap():
    # 7 does not divide 30: batches straddle the ends of epochs.
    stream = np.concatenate([batch_indices(1, step, 7, 30) for step in range(30)])
    assert stream.dtype == np.int64
    np.testing.assert_array_equal(np.sort(stream.reshape(7, 30), 1), np.tile(np.arange(30), (7, 1)))


def test_pure_function_of_seed_and_step():
    batches = [batch_indices(3, step, 8, 1000) for step in range(40)]
    np.testing.assert_array_equal(batches[33], batch_indices(3, 33, 8, 1000))  # no walk to step 33 is needed
    assert not np.array_equal(batches[0], batch_indices(4, 0, 8, 1000))
    assert batch_indices(-5, 10**9, 4096, 1_281_167).max() < 1_281_167


def test_order_never_changes():
    """Checkpoints of older versions resume on the same data only if these numbers stay."""
    assert batch_indices(0, 0, 8, 50_000).tolist() == FROZEN[0]
    assert batch_indices(42, 1000, 8, 1000).tolist() == FROZEN[1]


def test_places_are_uniform_over_epochs():
    epochs = index_at(0, np.arange(10 * 20_000), 10).reshape(-1, 10)
    pairs = np.bincount(epochs[:, 0] * 10 + epochs[:, 1], minlength=100).reshape(10, 10)[~np.eye(10, dtype=bool)]
    expected = len(epochs) / 90
    assert ((pairs - expected) ** 2 / expected).sum() < 135  # chi square, 89 degrees of freedom: p = 0.001


def test_neighbours_are_unrelated():
    first, second = index_at(0, np.arange(50_000), 50_000), index_at(0, np.arange(50_000, 100_000), 50_000)
    for a, b in ((first[:-1], first[1:]), (first, np.arange(50_000)), (first, second)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.02


def test_bad_sizes():
    with pytest.raises(ValueError, match="data set is empty"):
        batch_indices(0, 0, 4, 0)
    with pytest.raises(ValueError, match="global_batch is 0"):
        batch_indices(0, 0, 0, 4)
    with pytest.raises(ValueError, match="negative"):
        batch_indices(0, -1, 4, 4)
