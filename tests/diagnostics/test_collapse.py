"""Collapse measures against reference code, and at the extremes where their value is known."""

import golden
import jax
import numpy as np
import pytest

from jssl import diagnostics


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def sphere(n, d, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(n, d))).astype(np.float32)


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("representation_metrics"))
def test_rankme_lidar_and_alpha_match_the_reference(name):
    case = golden.load("representation_metrics", name)
    h, x, tolerance = case.hyper, case.inputs["emb"], case.tolerance
    for epsilon in ("1e-5", "1e-7"):
        ours = jax.jit(diagnostics.rankme)(x, epsilon=float(epsilon))
        np.testing.assert_allclose(ours, case.out[f"rankme_eps{epsilon}"], rtol=tolerance["rankme_rtol"])
    np.testing.assert_allclose(diagnostics.rankme(x), case.out["rankme_eps1e-7"], rtol=tolerance["rankme_rtol"])
    grouped = x.reshape(h["n_classes"], h["samples_per_class"], h["D"])
    lidar = diagnostics.lidar(grouped, delta=h["lidar_delta"], epsilon=h["lidar_eps"])
    np.testing.assert_allclose(lidar, case.out["lidar"], rtol=tolerance["lidar_rtol"])
    alpha = diagnostics.alpha_req(x, fit_from=h["fit_from"], fit_to=h["fit_to"])
    np.testing.assert_allclose(alpha, case.out["alpha"], atol=tolerance["alpha_atol"])


def test_a_point_is_collapsed():
    point = np.tile(sphere(1, 16), (64, 1))
    summary = diagnostics.summary(point)
    assert summary["feature_std"] < 1e-3
    np.testing.assert_allclose(summary["mean_cosine"], 1.0, rtol=1e-5)
    np.testing.assert_allclose(summary["rankme"], 1.0, rtol=1e-3)
    np.testing.assert_allclose(summary["uniformity"], 0.0, atol=1e-4)
    assert summary["dead_dimensions"] == 1.0


def test_a_sphere_is_not():
    summary = diagnostics.summary(sphere(2000, 16))
    np.testing.assert_allclose(summary["feature_std"], 1.0, rtol=0.02)
    assert abs(summary["mean_cosine"]) < 0.01
    assert 15.5 < summary["rankme"] <= 16.01
    assert summary["uniformity"] < -3
    assert summary["dead_dimensions"] == 0.0


def test_a_subspace_is_seen_by_rank_and_dead_dimensions():
    """Dimensional collapse: the rows are spread out, but in 4 of 16 dimensions."""
    plane = np.zeros((500, 16), np.float32)
    plane[:, :4] = sphere(500, 4)
    summary = diagnostics.summary(plane)
    np.testing.assert_allclose(summary["rankme"], 4.0, rtol=0.05)
    assert summary["dead_dimensions"] == 0.75
    assert summary["feature_std"] == pytest.approx(0.5, rel=0.05)


def test_mean_cosine_is_the_mean_over_pairs():
    x = np.random.default_rng(0).normal(size=(20, 5))
    cosine = unit(x) @ unit(x).T
    np.testing.assert_allclose(diagnostics.mean_cosine(x), cosine[~np.eye(20, dtype=bool)].mean(), rtol=1e-4)


def test_feature_std_and_mean_cosine_ignore_scale():
    x = np.random.default_rng(0).normal(size=(20, 5)) + 1
    for measure in (diagnostics.feature_std, diagnostics.mean_cosine):
        np.testing.assert_allclose(measure(1000 * x), measure(x), rtol=1e-5)
        assert abs(float(measure(x)) - float(measure(x - 1))) > 0.01  # while they do see an offset


def test_summary_takes_at_most_the_rows_asked_for():
    x = np.concatenate([sphere(100, 8), np.full((100, 8), np.nan, np.float32)])
    interleaved = x.reshape(2, 100, 8).swapaxes(0, 1).reshape(200, 8)  # every second row is not a number
    assert np.isfinite(list(diagnostics.summary(interleaved, max_rows=100).values())).all()
    assert np.isnan(diagnostics.summary(interleaved)["mean_cosine"])


def test_alpha_of_a_power_law():
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.normal(size=(60, 60)))
    for exponent in (0.5, 1.0, 2.0):
        half = np.diag(np.arange(1, 61) ** (-exponent / 2)) @ basis
        assert diagnostics.alpha_req(np.concatenate([half, -half]), fit_from=0) == pytest.approx(exponent, rel=1e-6)


def test_lidar_counts_the_directions_that_tell_images_apart():
    rng = np.random.default_rng(0)
    centres = np.zeros((200, 1, 10))
    centres[:, 0, :3] = 100 * rng.normal(size=(200, 3))
    views = centres + rng.normal(size=(200, 4, 10))
    assert diagnostics.lidar(views) == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize(
    ("measure", "arguments", "message"),
    [
        (diagnostics.rankme, (np.ones(3),), r"\(N, D\) features with N > 1, not \(3,\)"),
        (diagnostics.feature_std, (np.ones((1, 3)),), r"not \(1, 3\)"),
        (diagnostics.alignment, (np.ones((2, 3)), np.ones((3, 3))), r"\(2, 3\) but view_b has shape \(3, 3\)"),
        (diagnostics.alpha_req, (np.eye(5),), "lower fit_from"),
        (diagnostics.lidar, (np.ones((4, 3)),), r"\(images, views, D\)"),
        (diagnostics.lidar, (np.ones((4, 1, 3)),), "at least two of each"),
    ],
)
def test_errors_name_what_does_not_fit(measure, arguments, message):
    with pytest.raises(ValueError, match=message):
        measure(*arguments)
