"""SIGReg and the LeJEPA loss against the paper's listings, in NumPy and float64, with their gradients."""

import functools

import jax
import numpy as np
import pytest

from jssl.objectives import lejepa_loss, sigreg_loss

KEY, SLICES = jax.random.key(3), 12


def directions(width):
    drawn = np.asarray(jax.random.normal(KEY, (width, SLICES)), np.float64)
    return drawn / np.linalg.norm(drawn, axis=0)


def by_hand(z, knots=17, bound=5.0):
    """The listing of the paper: a complex exponential, on both sides of zero."""
    t = np.linspace(-bound, bound, knots)
    normal = np.exp(-(t**2) / 2)
    empirical = np.exp(1j * (z @ directions(z.shape[1]))[:, :, None] * t).mean(0)
    return (np.trapezoid(np.abs(empirical - normal) ** 2 * normal, t, axis=1) * len(z)).mean()


def lejepa_by_hand(views, num_global, weight):
    distance = ((views - views[:num_global].mean(0)) ** 2).mean()
    return (1 - weight) * distance + weight * np.mean([by_hand(z) for z in views])


def slope(function, x, direction, apart=1e-5):
    return (function(x + apart / 2 * direction) - function(x - apart / 2 * direction)) / apart


def drawn(*shape):
    return np.random.default_rng(0).normal(0.3, 1.2, size=shape)


@pytest.mark.parametrize(
    ("loss", "hand", "shape"),
    [
        (functools.partial(sigreg_loss, key=KEY, num_slices=SLICES), by_hand, (9, 5)),
        (
            functools.partial(lejepa_loss, key=KEY, num_slices=SLICES, num_global=2, weight=0.3),
            functools.partial(lejepa_by_hand, num_global=2, weight=0.3),
            (4, 6, 5),
        ),
    ],
    ids=["sigreg", "lejepa"],
)
def test_value_and_gradient_are_those_of_the_formula(loss, hand, shape):
    x, direction = drawn(*shape), np.random.default_rng(1).normal(size=shape)
    value, gradient = jax.value_and_grad(loss)(x.astype(np.float32))
    np.testing.assert_allclose(value, hand(x), rtol=1e-5)
    np.testing.assert_allclose((gradient * direction).sum(), slope(hand, x, direction), rtol=1e-4)


def test_points_on_half_of_the_line_are_those_on_all_of_it():
    x = drawn(9, 5)
    value = sigreg_loss(x.astype(np.float32), key=KEY, num_slices=SLICES, knots=17, bound=3.0)
    np.testing.assert_allclose(value, by_hand(x, knots=33, bound=3.0), rtol=1e-5)


@pytest.mark.parametrize("count", [16, 256])
def test_a_gaussian_batch_has_a_statistic_that_does_not_grow_with_it(count):
    batches = np.random.default_rng(2).normal(size=(200, count, 3)).astype(np.float32)
    mean = jax.vmap(lambda x: sigreg_loss(x, key=KEY, num_slices=4))(batches).mean()
    # The expectation is the integral of (1 - exp(-t^2)) exp(-t^2 / 2), sqrt(2 pi) - sqrt(2 pi / 3), whatever N is.
    assert abs(mean - np.sqrt(2 * np.pi) * (1 - 1 / np.sqrt(3))) < 0.15


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_slices": 0}, "num_slices must be above 0, got 0"),
        ({"bound": -1.0}, "bound must be above 0, got -1.0"),
        ({"knots": 1}, "knots=1; the trapezoidal rule takes at least 2"),
        ({"num_global": 0}, r"num_global=0, but embeddings have shape \(4, 6, 5\)"),
        ({"num_global": 5}, r"num_global=5, but embeddings have shape \(4, 6, 5\)"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^lejepa_loss: {message}$"):
        lejepa_loss(drawn(4, 6, 5), **{"num_global": 2, "key": KEY, **options})
