"""The endpoint error of flows that are known."""

import numpy as np
import pytest
from hand_made import Arrays, Readout

from jssl.evaluation import Encoder, evaluate
from jssl.models import Features

RNG = np.random.default_rng(0)


def of(flow, shift):
    """The subject whose estimate of the flow between the frames in the middle is too long by ``shift``."""
    source = Arrays(flow=flow, middle=flow[:, 1])
    apply = lambda params, extra, truth: Features(  # noqa: E731
        truth.mean((1, 2)), truth.reshape(len(truth), -1, 2) + np.asarray(shift, np.float32)[None, None]
    )
    return Encoder(
        {"video": None, "flow": Readout(lambda example: example["middle"], apply)}, ((), {}), {"test": source}
    )


def test_the_error_is_a_distance_in_pixels():
    flow = RNG.normal(size=(5, 4, 3, 2, 2)).astype(
        np.float32
    )  # of five frames: the third of neighbours is not the middle
    flow[:, 1, 0] = 0
    found = evaluate({"x": of(flow, (3, -4))}, protocols="flow")["x"]
    length = np.linalg.norm(flow[:, 1], axis=-1)
    assert found == pytest.approx(
        {"epe": 5.0, "epe_moving": 5.0, "epe_still": length.mean(), "epe_still_moving": length[:, 1:].mean()}, rel=1e-5
    )


def test_where_nothing_moves_there_is_no_error_of_what_moves():
    found = evaluate({"x": of(np.zeros((2, 3, 2, 2, 2), np.float32), (0, 0))}, protocols="flow")["x"]
    assert found["epe"] == found["epe_still"] == 0 and np.isnan(found["epe_moving"])
