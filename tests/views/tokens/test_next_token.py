"""Next tokens of packed rows: the pairs of the documents one by one, and nothing across a boundary."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import views

LENGTH = 24
view = jax.jit(jax.vmap(views.next_token))


def packed(rng):
    """Rows of documents of random lengths, some of one token, some rows full, some with padding; tokens may be 0."""
    rows = []
    for padding in (0, 1, 5, LENGTH):
        filled = LENGTH - padding
        cuts = np.sort(rng.choice(np.arange(1, filled), 6, replace=False)) if filled else []
        rows.append([rng.integers(0, 50, length) for length in np.diff([0, *cuts, filled])])
    tokens, segments = np.full((len(rows), LENGTH), 49, np.int32), np.zeros((len(rows), LENGTH), np.int32)
    for row, documents in enumerate(rows):
        at = 0
        for number, document in enumerate(documents, start=1):
            tokens[row, at : at + len(document)] = document
            segments[row, at : at + len(document)] = number
            at += len(document)
    return rows, tokens, segments


@pytest.mark.parametrize("seed", range(5))
def test_packed_rows_give_the_pairs_of_their_documents(seed):
    rows, tokens, segments = packed(np.random.default_rng(seed))
    out = jax.tree.map(np.asarray, view(tokens, segments))
    np.testing.assert_array_equal(out["tokens"], tokens)
    np.testing.assert_array_equal(out["segments"], segments)
    assert out["targets"].dtype == np.int32 and out["weights"].dtype == np.float32
    assert set(np.unique(out["weights"])) == {0.0, 1.0} and (out["targets"][out["weights"] == 0] == 0).all()
    for row, documents in enumerate(rows):
        counted = out["weights"][row] == 1
        ours = np.stack([tokens[row][counted], out["targets"][row][counted]], axis=1)
        alone = [np.stack([document[:-1], document[1:]], axis=1) for document in documents]
        np.testing.assert_array_equal(ours, np.concatenate([np.empty((0, 2)), *alone]))


def test_last_token_of_a_full_row_predicts_nothing():
    """Not even the first of the same row, where a shift by rotation would find it."""
    out = views.next_token(jnp.arange(5, 9), jnp.ones(4, jnp.int32))
    assert out["targets"].tolist() == [6, 7, 8, 0] and out["weights"].tolist() == [1, 1, 1, 0]


def test_narrow_integers_stay_narrow():
    out = views.next_token(jnp.arange(4, dtype=jnp.uint16), jnp.array([1, 1, 2, 0], jnp.uint8))
    assert out["targets"].dtype == jnp.uint16 and out["weights"].tolist() == [1, 0, 0, 0]


def test_wrong_rows_are_refused():
    tokens = jnp.zeros(4, jnp.int32)
    with pytest.raises(ValueError, match=r"tokens have shape \(4,\), segments \(5,\)"):
        views.next_token(tokens, jnp.zeros(5, jnp.int32))
    with pytest.raises(ValueError, match=r"tokens have shape \(1, 4\)"):
        views.next_token(tokens[None], tokens[None])
    with pytest.raises(ValueError, match="tokens are float32"):
        views.next_token(jnp.zeros(4), tokens)
