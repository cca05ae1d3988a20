"""A stack of pre-norm transformer blocks: what every ViT, decoder and predictor here is made of."""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.models.activations import gelu
from jssl.models.flat_dot import flat_dot
from jssl.models.norms import layer_norm

REMAT = {"none": None, "full": None, "dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable}
"""What ``remat`` keeps from the forward pass: everything, each block's input, or that and the matrix products."""


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)), in the layout of timm and DeiT: one Dense makes q, k and v."""

    heads: int
    mlp_ratio: float
    depth: int
    drop_path: float
    drop_path_uniform: bool
    layer_scale: float | None
    attention: Literal["xla", "cudnn"] | None
    dtype: Any
    param_dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, layer: jax.Array, mask: jax.Array | None, keys: jax.Array | None):
        """Returns (x, None), the pair that a scan over layers wants.

        Args:
          x: (B, N, D).
          layer: this block's place in the stack, int32 scalar.
          mask: (B, N) bool, False for tokens that nobody may attend to.
          keys: (B,) PRNG keys for drop path.
        """
        width = x.shape[-1]
        y = layer_norm(x, name="norm1", dtype=self.dtype, param_dtype=self.param_dtype)
        qkv = self._dense(3 * width, "qkv")(y).reshape(*x.shape[:2], 3, self.heads, width // self.heads)
        # jax takes bfloat16 to a float32 softmax by implicit promotion, which strict mode would refuse. (Its gradient is
        # promoted when it is compiled: compile bfloat16 gradients under "standard", jax's default, too.)
        with jax.numpy_dtype_promotion("standard"):
            y = jax.nn.dot_product_attention(  # type: ignore[misc]
                qkv[:, :, 0],
                qkv[:, :, 1],
                qkv[:, :, 2],
                mask=None if mask is None else mask[:, None, None, :],
                implementation=self.attention,
            )
        y = self._dense(width, "proj")(y.reshape(x.shape))
        x = x + self._branch(y, "scale1", 2 * layer, layer, keys)

        y = layer_norm(x, name="norm2", dtype=self.dtype, param_dtype=self.param_dtype)
        y = gelu(self._dense(int(width * self.mlp_ratio), "fc1")(y))
        y = self._dense(width, "fc2")(y)
        x = x + self._branch(y, "scale2", 2 * layer + 1, layer, keys)
        return x, None

    def _dense(self, features: int, name: str) -> nn.Dense:
        return dense(features, name, self.dtype, self.param_dtype)

    def _branch(self, y, name, branch, layer, keys):
        """LayerScale and drop path: each example skips the branch with a probability."""
        if self.layer_scale is not None:
            scale = self.param(name, nn.initializers.constant(self.layer_scale), (y.shape[-1],), self.param_dtype)
            y = y * scale.astype(self.dtype)[None, None, :]
        if keys is None or not self.drop_path:
            return y
        growth = 1.0 if self.drop_path_uniform else layer.astype(jnp.float32) / max(self.depth - 1, 1)
        keep = 1.0 - self.drop_path * growth
        draw = jax.vmap(lambda key: jax.random.bernoulli(jax.random.fold_in(key, branch), keep))(keys)
        return y * jnp.where(draw, 1.0 / keep, 0.0).astype(self.dtype)[:, None, None]


class Transformer(nn.Module):
    """``depth`` blocks in a row, unrolled (``block_0`` ...) or as one scan over stacked parameters (``blocks``).

    Dense kernels start Xavier-uniform with zero bias, as in MAE and MoCo v3 (the whole qkv matrix counts as one). DINO
    and I-JEPA draw them from a normal of deviation 0.02, which suits width 768 and is small for narrow models.

    Attributes:
      depth: blocks.
      heads: attention heads; they divide the width.
      mlp_ratio: hidden width of the MLP over the width.
      drop_path: skip probability of the last block; it grows linearly from 0 at the first (arXiv:1603.09382).
      drop_path_uniform: every block has it instead, as in DINOv2.
      layer_scale: initial value of a learned scale on each branch; None for none (arXiv:2103.17239).
      remat: ``"none"``, ``"full"`` (recompute each block in the backward pass) or ``"dots"`` (all but matrix products).
      scan: compile one block and scan over it; the program is smaller by a factor of ``depth``.
      attention: implementation of ``jax.nn.dot_product_attention``; None lets JAX choose, ``"cudnn"`` is flash on GPUs.
      dtype: compute dtype; norms and softmax are float32 always.
      param_dtype: parameter dtype.
    """

    depth: int
    heads: int
    mlp_ratio: float = 4.0
    drop_path: float = 0.0
    drop_path_uniform: bool = False
    layer_scale: float | None = None
    remat: str = "none"
    scan: bool = False
    attention: str | None = None
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, mask: jax.Array | None = None, keys: jax.Array | None = None) -> jax.Array:
        """(B, N, D) -> (B, N, D), without a final norm.

        Args:
          x: tokens in the compute dtype.
          mask: (B, N) bool, False for padding: nobody attends to it, and what comes out in its place means nothing.
          keys: (B,) PRNG keys, one per example, for drop path; None for no drop path.

        Raises:
          ValueError: heads, drop path or remat make no sense.
        """
        if x.shape[-1] % self.heads:
            raise ValueError(f"{self.heads} heads do not divide width {x.shape[-1]}")
        if not 0.0 <= self.drop_path < 1.0:
            raise ValueError(f"drop_path={self.drop_path} is outside [0, 1)")
        if self.remat not in REMAT:
            raise ValueError(f"no remat {self.remat!r}: use {', '.join(REMAT)}")
        block = Block
        if self.remat != "none":
            # Inside a scan nothing can be merged with the recomputation, so the barriers are not needed.
            block = nn.remat(Block, policy=REMAT[self.remat], prevent_cse=not self.scan)
        options = {
            "heads": self.heads,
            "mlp_ratio": self.mlp_ratio,
            "depth": self.depth,
            "drop_path": self.drop_path,
            "drop_path_uniform": self.drop_path_uniform,
            "layer_scale": self.layer_scale,
            "attention": self.attention,
            "dtype": self.dtype,
            "param_dtype": self.param_dtype,
        }
        layers = jnp.arange(self.depth, dtype=jnp.int32)
        if not self.scan:
            for i in range(self.depth):
                x, _ = block(name=f"block_{i}", **options)(x, layers[i], mask, keys)
            return x
        stack = nn.scan(
            block,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            in_axes=(0, nn.broadcast, nn.broadcast),
            length=self.depth,
        )
        return stack(name="blocks", **options)(x, layers, mask, keys)[0]


def dense(features: int, name: str, dtype, param_dtype) -> nn.Dense:
    """A Xavier-uniform Dense for tokens; call it inside a compact method."""
    return nn.Dense(
        features,
        kernel_init=nn.initializers.xavier_uniform(),
        dot_general=flat_dot,
        dtype=dtype,
        param_dtype=param_dtype,
        name=name,
    )
