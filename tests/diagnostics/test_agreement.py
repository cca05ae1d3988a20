"""What two views, and two networks, have in common."""

import numpy as np
import pytest

from jssl import diagnostics


def test_the_bound_is_below_the_mutual_information_of_gaussians_and_log_n():
    rng = np.random.default_rng(0)
    shared, noise = rng.normal(size=(256, 1)), rng.normal(size=(2, 256, 1))
    circle = lambda angle: np.concatenate([np.cos(angle), np.sin(angle)], 1)  # noqa: E731
    correlation = 1 / (1 + 0.1**2)
    truth = -0.5 * np.log(1 - correlation**2)
    found = float(diagnostics.mutual_information(*(circle(shared + 0.1 * n) for n in noise), temperature=0.02))
    assert 0.5 * truth < found < truth + 0.1 < np.log(256)


def test_independent_views_share_nothing():
    a, b = np.random.default_rng(0).normal(size=(2, 512, 8))
    assert float(diagnostics.mutual_information(a, b, temperature=1.0)) < 0.05


def test_the_teacher_lags_by_what_the_momentum_leaves():
    rng = np.random.default_rng(0)
    student = {"encoder": {"kernel": rng.normal(size=(4, 3))}, "head": rng.normal(size=5)}
    teacher = {"encoder": {"kernel": 0.75 * student["encoder"]["kernel"]}, "head": 0.75 * student["head"]}
    assert diagnostics.ema_distance(student, teacher) == pytest.approx(0.25)
    assert diagnostics.ema_distance(student, student) == 0.0
    with pytest.raises(ValueError, match="(?i)dict"):
        diagnostics.ema_distance(student, {"encoder": teacher["encoder"]})
