"""k-NN: the authors' votes, and exactness in blocks of any size."""

import golden
import numpy as np
import pytest

from jssl.evaluation import knn


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("knn_classifier"))
@pytest.mark.parametrize("blocks", [(512, 65536), (7, 16)])
def test_matches_dino(name, blocks, monkeypatch):
    case = golden.load("knn_classifier", name)
    h, x = case.hyper, case.inputs
    monkeypatch.setattr(knn, "TRAIN_BLOCK", blocks[1])
    options = {"k": h["k"], "temperature": h["T"], "num_classes": h["num_classes"], "block_size": blocks[0]}
    votes = knn.votes(x["train"], x["train_labels"], x["test"], **options)
    nearest = (x["test"].astype(np.float64) @ x["train"].T.astype(np.float64)).max(1, keepdims=True)
    np.testing.assert_allclose(
        votes * np.exp(nearest / h["T"]), case.out["votes"], rtol=case.tolerance["votes_rtol"], atol=1e-6
    )
    predictions = knn.predict(x["train"], x["train_labels"], x["test"], **options)
    np.testing.assert_array_equal(predictions, case.out["pred"])
    top1 = 100 * knn.accuracy(predictions, x["test_labels"])
    assert abs(top1 - case.out["top1"]) <= case.tolerance["top1_abs"] + 1e-9


def reference_votes(train, labels, test, k, temperature, num_classes):
    """Sorted by (similarity, lower index first), in float64."""
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    similarity = unit(test.astype(np.float64)) @ unit(train.astype(np.float64)).T
    votes = np.zeros((len(test), num_classes))
    for row, s in enumerate(similarity):
        nearest = np.argsort(-s, kind="stable")[:k]
        np.add.at(votes[row], labels[nearest], np.exp((s[nearest] - s.max()) / temperature))
    return votes


@pytest.mark.parametrize(
    ("n_train", "n_test", "k", "block_size", "train_block"),
    [
        (1, 1, 1, 512, 8),  # one of each
        (8, 5, 8, 5, 8),  # exactly one block
        (17, 9, 5, 4, 8),  # nothing divides
        (17, 9, 12, 4, 8),  # more neighbours than a block holds
        (5, 3, 200, 2, 8),  # k is clipped
        (33, 6, 33, 100, 8),  # every example votes, last block has one
    ],
)
def test_blocks_change_nothing(n_train, n_test, k, block_size, train_block, monkeypatch):
    monkeypatch.setattr(knn, "TRAIN_BLOCK", train_block)
    rng = np.random.default_rng(n_train + k)
    train, test = rng.normal(size=(n_train, 6)), 100 * rng.normal(size=(n_test, 6))
    labels = rng.integers(0, 3, n_train)
    votes = knn.votes(train, labels, test, k=k, temperature=0.2, num_classes=3, block_size=block_size)
    np.testing.assert_allclose(votes, reference_votes(train, labels, test, k, 0.2, 3), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("train_block", [2, 3, 64])
def test_of_equal_neighbours_the_lower_index_counts(train_block, monkeypatch):
    monkeypatch.setattr(knn, "TRAIN_BLOCK", train_block)
    train = np.tile(np.eye(2), (5, 1))  # every even row is the same, and so is every odd one
    labels = np.array([1, 0, 2, 0, 2, 0, 1, 0, 1, 0])
    votes = knn.votes(train, labels, np.eye(2)[:1], k=3, num_classes=3)
    np.testing.assert_array_equal(votes, [[0.0, 1.0, 2.0]])


def test_one_search_serves_every_k():
    rng = np.random.default_rng(3)
    train, labels, test = rng.normal(size=(40, 6)), rng.integers(0, 3, 40), rng.normal(size=(9, 6))
    found = knn.neighbours(train, labels, test, k=20, num_classes=3)
    assert found[0].shape == found[1].shape == (9, 20) and (np.diff(found[0]) <= 0).all()
    for k in (1, 5, 20):
        votes = knn.tally(*found, k=k, num_classes=3)
        np.testing.assert_array_equal(votes, knn.votes(train, labels, test, k=k, num_classes=3))
        np.testing.assert_allclose(votes, reference_votes(train, labels, test, k, 0.07, 3), rtol=1e-3, atol=1e-6)


def test_a_bank_in_a_file_is_read_a_block_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(knn, "TRAIN_BLOCK", 16)
    train, test = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32), np.eye(4, dtype=np.float32)
    np.save(tmp_path / "bank.npy", train)
    bank, largest = np.load(tmp_path / "bank.npy", mmap_mode="r"), []
    filled = knn._filled
    monkeypatch.setattr(knn, "_filled", lambda *a: largest.append(block := filled(*a)) or block)
    np.testing.assert_array_equal(knn.nearest(bank, test, k=5), knn.nearest(train, test, k=5))
    assert max(len(block) for block in largest) == 16


def test_no_temperature_overflows():
    train, labels = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), np.array([0, 1, 1])
    votes = knn.votes(train, labels, np.array([[1.0, 0.0], [-1.0, -1.0]]), k=3, temperature=1e-3, num_classes=2)
    assert np.isfinite(votes).all() and (votes.max(1) >= 1.0).all()
    assert knn.predict(train, labels, np.array([[1.0, 0.0]]), k=3, temperature=1e-3, num_classes=2).tolist() == [0]


def test_zero_features_are_harmless():
    votes = knn.votes(np.zeros((3, 2)), np.array([0, 1, 1]), np.zeros((2, 2)), k=3, num_classes=2)
    np.testing.assert_array_equal(votes, [[1.0, 2.0]] * 2)


def test_an_empty_test_set_gives_no_predictions():
    assert knn.predict(np.eye(2), np.array([0, 1]), np.zeros((0, 2)), num_classes=2).shape == (0,)


@pytest.mark.parametrize(
    ("train", "labels", "test", "message"),
    [
        (np.eye(2), [0], np.eye(2), r"not \(2, 2\) and \(1,\)"),
        (np.eye(2), [0, 1], np.eye(3), r"test features \(3, 3\) do not fit"),
        (np.eye(2), [0, -1], np.eye(2), "leave unlabelled examples out"),
        (np.eye(2), [0, 2], np.eye(2), r"labels in \[0, 2\)"),
        (np.zeros((0, 2)), [], np.eye(2), "no examples"),
    ],
)
def test_errors_name_what_does_not_fit(train, labels, test, message):
    with pytest.raises(ValueError, match=message):
        knn.predict(train, np.array(labels, int), test, num_classes=2)


def test_accuracy_refuses_other_shapes():
    with pytest.raises(ValueError, match="as many predictions as labels"):
        knn.accuracy(np.zeros(3), np.zeros(2))
