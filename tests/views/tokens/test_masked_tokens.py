"""Hidden tokens: the numbers and shares of the authors' code, and what becomes of padding and special tokens."""

import functools

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import views

ROWS = 2000
MASK, SPECIAL = 3, (0, 1, 2, 3)


@functools.cache
def drawn(length):
    """Views of rows that begin and end with a special token, as those of the recorded counts; (rows, views)."""
    tokens = np.random.default_rng(0).integers(4, 1000, (ROWS, length)).astype(np.int32)
    tokens[:, 0], tokens[:, -1] = 1, 2
    options = {"mask_id": MASK, "vocabulary": 1000, "max_predictions": 20, "special": SPECIAL}
    make = jax.jit(jax.vmap(lambda key, row: views.masked_tokens(key, row, jnp.ones_like(row), **options)))
    return tokens, jax.tree.map(np.asarray, make(jax.random.split(jax.random.key(0), ROWS), tokens))


def shares(before, after, mask):
    return np.array([(after == mask).sum(), ((after != mask) & (after != before)).sum(), (after == before).sum()])


def assert_same_share(ours, of_ours, theirs, of_theirs):
    """Two proportions, within four binomial standard errors."""
    p = (ours + theirs) / (of_ours + of_theirs)
    error = np.sqrt(p * (1 - p) * (1 / of_ours + 1 / of_theirs))
    assert abs(ours / of_ours - theirs / of_theirs) <= 4 * error


@pytest.mark.golden
@pytest.mark.parametrize("name", [name for name in golden.cases("mlm_mask_stats") if name.startswith("bert")])
def test_as_many_are_hidden_as_by_bert_and_as_often_by_the_mask(name):
    case = golden.load("mlm_mask_stats", name)
    tokens, made = drawn(case.hyper["T"])
    assert (made["weights"].sum(1) == case.out["n_selected"]).all()
    before = np.take_along_axis(tokens, made["positions"], 1)
    after = np.take_along_axis(made["tokens"], made["positions"], 1)
    np.testing.assert_array_equal(before, made["targets"])
    _, of_theirs, *theirs = case.out["counts"]
    for ours, recorded in zip(shares(before, after, MASK), theirs):
        assert_same_share(ours, before.size, recorded, of_theirs)


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("mlm_mask_stats"))
def test_all_places_are_alike_and_special_tokens_stay(name):
    case = golden.load("mlm_mask_stats", name)
    length = case.hyper["T"]
    tokens, made = drawn(length)
    frequency = np.bincount(made["positions"].reshape(-1), minlength=length) / ROWS
    assert frequency[0] == frequency[-1] == 0
    expected = made["positions"].shape[1] / (length - 2)
    assert (abs(frequency[1:-1] - expected) < 5 * np.sqrt(expected * (1 - expected) / ROWS)).all()
    # The recorded ones are alike, too; those that are drawn one by one have the rate itself.
    theirs = case.out["position_frequency"][1:-1]
    assert abs(theirs.mean() - (0.15 if name.startswith("hf") else expected)) < 0.01
    changed = made["tokens"] != tokens
    assert not (changed & (np.bincount(made["positions"].reshape(-1), minlength=length) == 0)).any()


@pytest.mark.slow
def test_padding_is_never_hidden_and_short_rows_use_fewer_slots():
    row, segments = jnp.arange(40, dtype=jnp.int32), jnp.asarray(np.repeat([1, 2, 0], [7, 7, 26]))
    hide = functools.partial(views.masked_tokens, mask_id=99, vocabulary=99)
    made = jax.vmap(lambda key: hide(key, row, segments))(jax.random.split(jax.random.key(1), 50))
    assert made["positions"].shape == (50, 6) and (made["weights"].sum(1) == 2).all()
    assert (np.asarray(made["positions"])[np.asarray(made["weights"]) == 1] < 14).all()
    np.testing.assert_array_equal(made["tokens"][:, 14:], np.tile(row[14:], (50, 1)))
    empty = hide(jax.random.key(0), row, jnp.zeros_like(row))
    assert not empty["weights"].any() and (empty["tokens"] == row).all()


@pytest.mark.parametrize(
    ("tokens", "segments", "rate", "message"),
    [
        (jnp.zeros(4, int), jnp.zeros(5, int), 0.15, r"tokens have shape \(4,\), segments \(5,\)"),
        (jnp.zeros(4), jnp.zeros(4, int), 0.15, "tokens are float32"),
        (jnp.zeros(4, int), jnp.zeros(4, int), 1.0, "rate=1.0"),
    ],
)
def test_wrong_rows_are_refused(tokens, segments, rate, message):
    with pytest.raises(ValueError, match=message):
        views.masked_tokens(jax.random.key(0), tokens, segments, mask_id=9, vocabulary=9, rate=rate)
