"""What a frame's features become when something is done: a transformer over frames and actions, and its rollout."""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jssl.models import positions
from jssl.models.norms import layer_norm
from jssl.models.transformer import Transformer, dense


class ActionPredictor(nn.Module):
    """From the features of frames, and what is done in each, to the features of the next ones.

    The predictor of V-JEPA 2-AC (Assran et al., arXiv:2506.09985): each frame is its tokens and one for the action; a token
    sees those of its own frame and of the frames before. The authors' code has rotary positions, here they are fixed sines
    along time, rows and columns; it has a token for the state of the robot, too; and it names the next features themselves,
    where here the change of the last ones is added to these.

    Attributes:
      width: of its tokens.
      depth: blocks.
      heads: attention heads.
      memory: see the frames before, too; without it the last frame is all there is, as in PLDM (arXiv:2502.14819).
      mlp_ratio, drop_path, remat, scan, attention: see ``Transformer``.
      dtype: compute dtype.
      param_dtype: parameter dtype.

    >>> model = ActionPredictor(width=8, depth=1, heads=2)
    >>> frames, actions = jnp.ones((2, 3, 4, 6)), jnp.ones((2, 3, 2))
    >>> y, variables = jax.jit(model.init_with_output)(jax.random.key(0), frames, actions)
    >>> y.shape
    (2, 3, 4, 6)
    """

    width: int
    depth: int
    heads: int
    memory: bool = True
    mlp_ratio: float = 4.0
    drop_path: float = 0.0
    remat: str = "none"
    scan: bool = False
    attention: str | None = None
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, frames: jax.Array, actions: jax.Array, *, keys: jax.Array | None = None) -> jax.Array:
        """Returns (B, T, N, D), in the compute dtype: the features after each action.

        Args:
          frames: (B, T, N, D) features of T frames, of N tokens each, a square of them in raster order; or one.
          actions: (B, T, A), what is done in each.
          keys: (B,) PRNG keys for drop path.

        Raises:
          ValueError: not one action per frame.
        """
        if frames.ndim != 4 or actions.ndim != 3 or frames.shape[:2] != actions.shape[:2]:
            raise ValueError(
                f"frames have shape {frames.shape}, actions {actions.shape}; give (B, T, N, D) and (B, T, A), one action a frame"
            )
        batch, length, count, features = frames.shape
        frames = frames.astype(self.dtype)
        times = length if self.memory else 1
        side = math.isqrt(count)
        table = positions.sincos(self.width, (times, side, count // side)).reshape(1, times, count, self.width)
        tokens = dense(self.width, "embed", self.dtype, self.param_dtype)(frames) + jnp.asarray(table, self.dtype)
        done = dense(self.width, "embed_action", self.dtype, self.param_dtype)(actions.astype(self.dtype))[:, :, None]
        done = done + jnp.asarray(table[:, :, :1], self.dtype)
        x = jnp.concatenate([done, tokens], 2)
        x = x.reshape(batch * length // times, times * (1 + count), self.width)
        if keys is not None and not self.memory:
            keys = jax.vmap(lambda key: jax.random.split(key, length))(keys).reshape(-1)
        number = np.arange(times).repeat(1 + count)
        x, _ = Transformer(
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            drop_path=self.drop_path,
            remat=self.remat,
            scan=self.scan,
            attention=self.attention,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            name="predictor",
        )(x, mask=jnp.asarray(number[None, :, None] >= number[None, None]) if times > 1 else None, keys=keys)
        x = x.reshape(batch, length, 1 + count, self.width)[:, :, 1:]
        x = layer_norm(x, name="norm", dtype=self.dtype, param_dtype=self.param_dtype)
        return frames + dense(features, "predict", self.dtype, self.param_dtype)(x)


def rollout(predict: Callable, start: jax.Array, actions: jax.Array, *, memory: bool) -> jax.Array:
    """The features that actions lead to, each predicted from the predictions before.

    Args:
      predict: (frames (B, T, N, D), actions (B, T, A)) -> (B, T, N, D), of the dtype of ``start``; causal.
      start: (B, N, D) features of the first frame.
      actions: (B, H, A).
      memory: whether ``predict`` is to see all frames so far, or the last alone.

    Returns:
      (B, H, N, D): after each action.

    >>> add = lambda frames, actions: frames + actions[:, :, None]
    >>> rollout(add, jnp.zeros((1, 1, 1)), jnp.ones((1, 3, 1)), memory=False).ravel().tolist()
    [1.0, 2.0, 3.0]
    """
    if not memory:

        def step(frame, action):
            frame = predict(frame[:, None], action[:, None])[:, 0]
            return frame, frame

        return jnp.moveaxis(jax.lax.scan(step, start, jnp.moveaxis(actions, 1, 0))[1], 0, 1)
    horizon = actions.shape[1]

    def add(frames, number):
        # Frames that are not there yet are copies of the first; nothing that is asked for sees them.
        found = jax.lax.dynamic_index_in_dim(predict(frames, actions), number, 1, keepdims=False)
        after = (jnp.arange(horizon) == number + 1)[None, :, None, None]
        return jnp.where(after, found[:, None], frames), found

    frames = jnp.broadcast_to(start[:, None], (start.shape[0], horizon, *start.shape[1:]))
    return jnp.moveaxis(jax.lax.scan(add, frames, jnp.arange(horizon))[1], 0, 1)
