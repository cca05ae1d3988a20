"""Who sees whom, and what rolling out is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.models import ActionPredictor
from jssl.models.action_predictor import rollout

RNG = np.random.default_rng(0)
FRAMES, ACTIONS = RNG.normal(size=(2, 4, 4, 6)).astype(np.float32), RNG.normal(size=(2, 4, 3)).astype(np.float32)


def made(memory):
    model = ActionPredictor(width=12, depth=2, heads=2, memory=memory)
    params = jax.jit(model.init)(jax.random.key(0), FRAMES, ACTIONS)
    return jax.jit(lambda frames, actions: model.apply(params, frames, actions))


@pytest.mark.parametrize("memory", [True, False])
def test_a_prediction_sees_its_frame_and_those_before_with_memory_alone(memory):
    predict = made(memory)
    plain = predict(FRAMES, ACTIONS)
    for changed in (
        predict(jnp.asarray(FRAMES).at[:, 2, 1].add(1), ACTIONS),
        predict(FRAMES, ACTIONS + np.eye(4)[2, :, None]),
    ):
        differs = np.abs(changed - plain).max((2, 3)) > 1e-4  # (B, T)
        np.testing.assert_array_equal(differs, [[False, False, True, memory]] * 2)


@pytest.mark.parametrize("memory", [True, False])
def test_rolled_out_is_step_by_step(memory):
    predict = made(memory)
    found = rollout(predict, FRAMES[:, 0], ACTIONS, memory=memory)
    frames = jnp.asarray(FRAMES)
    for t in range(4):
        after = predict(frames, ACTIONS)[:, t]
        np.testing.assert_allclose(found[:, t], after, rtol=1e-4, atol=1e-5)
        frames = frames if t == 3 else frames.at[:, t + 1].set(after)


def test_one_action_a_frame():
    with pytest.raises(ValueError, match=r"frames have shape \(2, 4, 4, 6\), actions \(2, 3, 3\)"):
        ActionPredictor(width=12, depth=1, heads=2).init(jax.random.key(0), FRAMES, ACTIONS[:, 1:])
