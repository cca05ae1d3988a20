"""Attentive probe: it finds the one token that tells the class, wherever it stands."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import Arrays, Readout

from jssl.data.source import About
from jssl.evaluation import Encoder, attentive, evaluate
from jssl.models.features import Features


def needles(seed, count):
    """(N, 6, 8) tokens that each point one way or the other; the one that is marked, at a random place, names the class."""
    rng = np.random.default_rng(seed)
    tokens, labels = rng.normal(size=(count, 6, 8)).astype(np.float32), rng.integers(0, 2, count).astype(np.int32)
    tokens[..., 0], tokens[..., 1] = 0.0, 6.0 * rng.choice([-1, 1], (count, 6))
    place = rng.integers(0, 6, count)
    tokens[np.arange(count), place, 0] = 6.0
    tokens[np.arange(count), place, 1] = np.where(labels == 1, 6.0, -6.0)
    return Arrays(About(class_names=("a", "b")), audio=tokens, label=labels)


READOUT = Readout(lambda example: example["audio"], lambda params, extra, x: Features(x.mean(1), x))


def encoder():
    return Encoder({"audio": READOUT}, ((), {}), {"train": needles(0, 200), "test": needles(1, 100)}, batch_size=64)


@pytest.mark.slow
@pytest.mark.parametrize("held", [2 << 30, 0])
def test_it_learns_where_to_look(held, monkeypatch):
    """Whether tokens are held in memory or encoded again."""
    monkeypatch.setattr(attentive, "HELD", held)
    row = evaluate({"x": encoder()}, protocols="knn,attentive:epochs=20,batch_size=50,learning_rate=0.01")["x"]
    assert row["attentive[epochs=20,batch_size=50,learning_rate=0.01]"] > 0.95 > 0.8 > row["knn"]  # of the mean


def test_an_encoder_without_tokens_is_refused():
    plain = Readout(READOUT.prepare, lambda params, extra, x: Features(x.mean(1)))
    one = Encoder({"audio": plain}, ((), {}), {"train": needles(0, 8), "test": needles(1, 8)})
    with pytest.raises(ValueError, match="has no tokens"):
        evaluate({"x": one}, protocols="attentive:epochs=1")


def test_one_head_for_every_64_columns_that_divides_them():
    probe = attentive.AttentiveProbe(2)
    for width in (8, 129, 192):
        tokens = jax.ShapeDtypeStruct((1, 2, width), jnp.float32)
        assert jax.eval_shape(probe.init_with_output, jax.random.key(0), tokens)[0].shape == (1, 2)
