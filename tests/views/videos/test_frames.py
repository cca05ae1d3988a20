import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import views


def test_every_start_is_drawn_and_strides_hold():
    draw = jax.jit(jax.vmap(lambda key: views.random_frames(key, jnp.arange(8), frames=3, stride=2)))
    starts = draw(jax.random.split(jax.random.key(0), 200))
    assert set(np.asarray(starts)[:, 0].tolist()) == {0, 1, 2, 3} and (np.diff(starts) == 2).all()
    assert views.random_frames(jax.random.key(1), jnp.arange(5), frames=5).tolist() == list(range(5))


@pytest.mark.parametrize(("frames", "stride", "told"), [(4, 2, "a clip of 6 frames is too short"), (0, 1, "frames=0")])
def test_what_a_clip_does_not_hold_is_refused(frames, stride, told):
    with pytest.raises(ValueError, match=told):
        views.central_frames(jnp.zeros((6, 2, 2, 3)), frames=frames, stride=stride)


def test_one_crop_and_one_flip_for_all_frames():
    """A clip that stands still stays so, and each frame is what the picture alone would be."""
    picture = jax.random.uniform(jax.random.key(2), (12, 12, 3))
    augment, key = views.mae(8), jax.random.key(5)
    seen = jax.jit(lambda clip: views.over_frames(augment, key, clip))(jnp.stack([picture] * 3))
    assert seen.shape == (3, 8, 8, 3)
    np.testing.assert_array_equal(seen[0], seen[2])
    np.testing.assert_allclose(seen[1], jax.jit(augment)(key, picture), rtol=1e-5, atol=1e-5)
