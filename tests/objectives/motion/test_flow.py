"""Losses of optical flow, pixel by pixel in NumPy, and what they say of clips whose flow is known."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jssl import objectives
from jssl.data import open_source

RNG = np.random.default_rng(0)
SHAPE = (2, 5, 6)
FIRST, SECOND = RNG.uniform(size=(2, *SHAPE, 3)).astype(np.float32)
FLOW, BACK = RNG.normal(0, 1.5, (2, *SHAPE, 2)).astype(np.float32)


def warped(image, flow):
    """Each pixel by itself, and whether it lies inside."""
    out, inside = np.zeros(flow.shape[:3] + image.shape[-1:]), np.zeros(flow.shape[:3])
    batch, height, width, _ = flow.shape
    for b, i, j in np.ndindex(batch, height, width):
        x, y = j + float(flow[b, i, j, 0]), i + float(flow[b, i, j, 1])
        inside[b, i, j] = 0 <= x <= width - 1 and 0 <= y <= height - 1
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        for row in range(height):
            for column in range(width):
                share = max(0, 1 - abs(row - y)) * max(0, 1 - abs(column - x))
                out[b, i, j] += share * image[b, row, column]
    return out, inside


def mean(values, weights):
    return np.mean([(v * w).sum() / max(w.sum(), 1e-30) for v, w in zip(values, weights)])


@pytest.mark.parametrize("given", [False, True])
def test_photometric_loss_is_the_formula(given):
    moved, inside = warped(SECOND, FLOW)
    weights = RNG.integers(0, 2, SHAPE).astype(np.float32) if given else inside
    absolute, unlike, window = np.abs(FIRST - moved).mean(-1), np.zeros((2, 3, 4)), np.zeros((2, 3, 4))
    for b, i, j in np.ndindex(2, 3, 4):
        window[b, i, j] = weights[b, i : i + 3, j : j + 3].mean()
        for c in range(3):
            x, y = (part[b, i : i + 3, j : j + 3, c].astype(np.float64).ravel() for part in (FIRST, moved))
            covariance = np.mean((x - x.mean()) * (y - y.mean()))
            ssim = (2 * x.mean() * y.mean() + 1e-4) * (2 * covariance + 9e-4)
            ssim /= (x.mean() ** 2 + y.mean() ** 2 + 1e-4) * (x.var() + y.var() + 9e-4)
            unlike[b, i, j] += (1 - ssim) / 2 / 3
    options = {"weights": weights} if given else {}
    alphas = (0.0, 0.7)
    losses = jax.jit(
        lambda: [objectives.photometric_loss(FIRST, SECOND, FLOW, ssim_weight=a, **options) for a in alphas]
    )()
    for alpha, loss in zip(alphas, losses):
        expected = (1 - alpha) * mean(absolute, weights) + alpha * mean(unlike, window)
        assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_consistency_visibility_and_smoothness_are_the_formulas():
    there, inside = warped(BACK, FLOW)
    missed = np.abs(FLOW + there).mean(-1)
    assert float(objectives.flow_consistency_loss(FLOW, BACK)) == pytest.approx(mean(missed, inside), rel=1e-5)
    squares = ((FLOW + there) ** 2).sum(-1)
    visible = inside * (squares <= 0.01 * ((FLOW**2).sum(-1) + (there**2).sum(-1)) + 0.5)
    np.testing.assert_array_equal(objectives.flow_visibility(FLOW, BACK), visible)
    assert 0 < visible.sum() < inside.sum()

    expected = 0.0
    for axis in (1, 2):
        edges = np.exp(-2 * np.abs(np.diff(FIRST, axis=axis)).mean(-1))
        expected += (edges * np.abs(np.diff(FLOW, axis=axis)).mean(-1)).mean() / 2
    assert float(objectives.flow_smoothness_loss(FLOW, FIRST, edge=2.0)) == pytest.approx(expected, rel=1e-5)


def test_nothing_visible_adds_nothing():
    away = np.full_like(FLOW, 100)
    loss, gradient = jax.jit(jax.value_and_grad(lambda flow: objectives.photometric_loss(FIRST, SECOND, flow)))(away)
    assert float(loss) == 0 and not np.any(gradient)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: objectives.warp(FIRST, FLOW[:, :4]), r"\(2, 5, 6, 3\) but flow has shape \(2, 4, 6, 2\)"),
        (lambda: objectives.warp(FIRST, FIRST), r"flow must be .*got shape \(2, 5, 6, 3\)"),
        (lambda: objectives.photometric_loss(FIRST, SECOND[:1], FLOW), "second has shape"),
        (lambda: objectives.photometric_loss(FIRST[:, :2], SECOND[:, :2], FLOW[:, :2]), "windows of 3x3"),
        (lambda: objectives.photometric_loss(FIRST, SECOND, FLOW, ssim_weight=2.0), "ssim_weight"),
        (lambda: objectives.photometric_loss(FIRST, SECOND, FLOW, weights=FLOW), "weights have shape"),
        (lambda: objectives.flow_smoothness_loss(FLOW, FIRST, edge=-1.0), "edge must not be negative"),
        (lambda: objectives.flow_smoothness_loss(FLOW[:, :1], FIRST[:, :1]), "2x2"),
        (lambda: objectives.flow_consistency_loss(FLOW, BACK, weights=FLOW), "weights have shape"),
    ],
)
def test_wrong_arguments_are_one_line(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def clips():
    """(first frames, second frames, true flow) of moving shapes, in [0, 1]."""
    source = open_source("synthetic_clips:num_examples=6,frames=12,image_size=32,flow=1")
    examples = [source[i] for i in range(6)]
    first, second = (np.stack([x["video"][t] for x in examples]).astype(np.float32) / 255 for t in (0, 1))
    return first, second, np.stack([x["flow"][0] for x in examples])


@pytest.mark.slow
def test_the_true_flow_explains_the_frames_and_descent_comes_near_it():
    first, second, truth = clips()
    moving = np.hypot(*np.moveaxis(truth, -1, 0)) > 0
    none = np.zeros_like(truth)
    loss = jax.jit(lambda flow: objectives.photometric_loss(first, second, flow))
    assert float(loss(truth)) < 0.75 * float(loss(none)) and float(loss(none)) < float(loss(-truth))

    def whole(flow):
        return objectives.photometric_loss(first, second, flow) + 0.3 * objectives.flow_smoothness_loss(
            flow, first, edge=20.0
        )

    optimizer = optax.adam(0.05)

    def step(carry, _):
        flow, state = carry
        updates, state = optimizer.update(jax.grad(whole)(flow), state)
        return (flow + updates, state), None

    with jax.numpy_dtype_promotion("standard"):  # of Adam's own arithmetic
        (found, _), _ = jax.jit(lambda: jax.lax.scan(step, (jnp.asarray(none), optimizer.init(none)), length=200))()
    errors = [np.hypot(*np.moveaxis(np.asarray(flow) - truth, -1, 0))[moving].mean() for flow in (found, none)]
    assert errors[0] < 0.6 * errors[1], errors
