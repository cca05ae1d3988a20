"""A stack of pre-norm transformer blocks: what every ViT, text encoder, decoder and predictor here is made of."""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl import sharding
from jssl.models import positions
from jssl.models.activations import gelu
from jssl.models.flat_dot import flat_dot
from jssl.models.norms import layer_norm

REMAT = {"none": None, "full": None, "dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable}
"""What ``remat`` keeps from the forward pass: everything, each block's input, or that and the matrix products."""

_xavier = nn.initializers.xavier_uniform()


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)), in the layout of timm and DeiT: one Dense makes q, k and v."""

    heads: int
    mlp_ratio: float
    mlp: str
    causal: bool
    initializer: str
    depth: int
    drop_path: float
    drop_path_uniform: bool
    layer_scale: float | None
    keep_output: bool
    attention: Literal["xla", "cudnn"] | None
    dtype: Any
    param_dtype: Any

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        layer: jax.Array,
        mask: jax.Array | None,
        keys: jax.Array | None,
        angles: tuple[jax.Array, jax.Array] | None,
    ) -> tuple[jax.Array, jax.Array | None]:
        """Returns the pair that a scan over layers wants: x to go on with, and x to keep, if ``keep_output``.

        Args:
          x: (B, N, D).
          layer: this block's place in the stack, int32 scalar.
          mask: (B, 1, N or 1, N) bool, which keys (the last axis) each query may attend to.
          keys: (B,) PRNG keys for drop path.
          angles: from ``positions.rotary_angles``.
        """
        width = x.shape[-1]
        y = layer_norm(x, name="norm1", dtype=self.dtype, param_dtype=self.param_dtype)
        qkv = self._dense(3 * width, "qkv")(y).reshape(*x.shape[:2], 3, self.heads, width // self.heads)
        q, k, v = qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2]
        if angles is not None:
            q, k = positions.rotate(q, angles), positions.rotate(k, angles)
        # jax takes bfloat16 to a float32 softmax by implicit promotion, which strict mode would refuse. (Its gradient is
        # promoted when it is compiled: compile bfloat16 gradients under "standard", jax's default, too.)
        with jax.numpy_dtype_promotion("standard"):
            y = jax.nn.dot_product_attention(  # type: ignore[misc]
                q, k, v, mask=mask, is_causal=self.causal, implementation=self.attention
            )
        y = self._dense(width, "proj", ends_branch=True)(y.reshape(x.shape))
        x = x + self._branch(y, "scale1", 2 * layer, layer, keys)

        y = layer_norm(x, name="norm2", dtype=self.dtype, param_dtype=self.param_dtype)
        y = self._hidden(y, int(width * self.mlp_ratio))
        y = self._dense(width, "fc2", ends_branch=True)(y)
        x = x + self._branch(y, "scale2", 2 * layer + 1, layer, keys)
        return x, x if self.keep_output else None

    def _hidden(self, y, features):
        """The MLP's hidden layer; for SwiGLU, as in DINOv2, one Dense makes both gate and value."""
        if self.mlp == "gelu":
            return gelu(self._dense(features, "fc1")(y))
        gate, value = jnp.split(self._dense(2 * features, "fc1")(y), 2, axis=-1)
        return nn.silu(gate) * value

    def _dense(self, features: int, name: str, *, ends_branch: bool = False) -> nn.Dense:
        init = _xavier
        if self.initializer == "gpt2":  # the variance of the sum of 2 * depth branches does not grow with depth
            init = nn.initializers.normal(0.02 / (2 * self.depth) ** 0.5 if ends_branch else 0.02)
        return dense(features, name, self.dtype, self.param_dtype, init)

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
    and I-JEPA draw them from a normal of deviation 0.02, which suits width 768 and is small for narrow models; so does
    GPT-2, which divides it by sqrt(2 depth) for the last layer of each branch.

    Attributes:
      depth: blocks.
      heads: attention heads; they divide the width.
      mlp_ratio: hidden width of the MLP over the width.
      mlp: ``"gelu"``, or ``"swiglu"`` (arXiv:2002.05202), which has 1.5 times the parameters at the same ``mlp_ratio``.
      causal: every token attends to itself and those before it only.
      initializer: of the kernels, ``"xavier"`` or ``"gpt2"``, see above.
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
    mlp: str = "gelu"
    causal: bool = False
    initializer: str = "xavier"
    drop_path: float = 0.0
    drop_path_uniform: bool = False
    layer_scale: float | None = None
    remat: str = "none"
    scan: bool = False
    attention: str | None = None
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        *,
        mask: jax.Array | None = None,
        places: jax.Array | None = None,
        keys: jax.Array | None = None,
        last: int = 0,
    ) -> tuple[jax.Array, jax.Array | None]:
        """(B, N, D) -> (B, N, D), without a final norm.

        Args:
          x: tokens in the compute dtype.
          mask: (B, N) bool, False for padding: nobody attends to it, and what comes out in its place means nothing. Or
            (B, N, N) bool: whether query (the second axis) attends to key (the third); no row may be False throughout.
          places: (B, N) int, or (1, N) for all examples: rotary positions of the tokens, or (B, N, A) along the axes of a
            grid; None for no rotation.
          keys: (B,) PRNG keys, one per example, for drop path; None for no drop path.
          last: how many blocks' outputs to return, counted from the end; static.

        Returns:
          (x, layers): the last block's output, and those of the last blocks, (last, B, N, D); None for ``last=0``.

        Raises:
          ValueError: the attributes make no sense, or there are fewer blocks than ``last``.
        """
        self._check(x.shape[-1], last)
        block, policy = Block, REMAT[self.remat]
        shards = sharding.has_shards(self.variables.get("params", {}))
        if shards and self.remat == "none":
            # A block's parameters are put together again in the backward pass, but nothing else is done twice.
            policy = sharding.all_but_weights
        if shards or self.remat != "none":
            # Inside a scan nothing can be merged with the recomputation, so the barriers are not needed.
            block = nn.remat(Block, policy=policy, prevent_cse=not self.scan)
        options = {
            "heads": self.heads,
            "mlp_ratio": self.mlp_ratio,
            "mlp": self.mlp,
            "causal": self.causal,
            "initializer": self.initializer,
            "depth": self.depth,
            "drop_path": self.drop_path,
            "drop_path_uniform": self.drop_path_uniform,
            "layer_scale": self.layer_scale,
            "keep_output": last > 0,
            "attention": self.attention,
            "dtype": self.dtype,
            "param_dtype": self.param_dtype,
        }
        if mask is not None:
            mask = mask[:, None, None, :] if mask.ndim == 2 else mask[:, None]
        angles = None if places is None else positions.rotary_angles(places, x.shape[-1] // self.heads)
        numbers = jnp.arange(self.depth, dtype=jnp.int32)
        if self.scan:
            stack = nn.scan(
                block,
                variable_axes={"params": 0},
                split_rngs={"params": True},
                in_axes=(0, nn.broadcast, nn.broadcast, nn.broadcast),
                length=self.depth,
            )
            x, layers = stack(name="blocks", **options)(x, numbers, mask, keys, angles)
            return x, None if layers is None else layers[-last:]
        outputs = [x]
        for i in range(self.depth):
            # The next block's parameters may be put together while this one runs, but not those of all blocks at once.
            started = _not_before(jax.lax.stop_gradient(outputs[max(i - 1, 0)]), block) if shards else block
            x, _ = started(name=f"block_{i}", **options)(x, numbers[i], mask, keys, angles)
            outputs.append(x)
        return x, jnp.stack(outputs[-last:]) if last else None

    def _check(self, width: int, last: int):
        if width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide width {width}")
        if not 0.0 <= self.drop_path < 1.0:
            raise ValueError(f"drop_path={self.drop_path} is outside [0, 1)")
        if self.remat not in REMAT:
            raise ValueError(f"no remat {self.remat!r}: use {', '.join(REMAT)}")
        if self.mlp not in ("gelu", "swiglu") or self.initializer not in ("xavier", "gpt2"):
            raise ValueError(f"mlp={self.mlp!r}, initializer={self.initializer!r}: use gelu or swiglu; xavier or gpt2")
        if not 0 <= last <= self.depth:
            raise ValueError(f"last={last} of {self.depth} blocks: use 0 to {self.depth}")


def _not_before(x: jax.Array, block: type[nn.Module]) -> type[nn.Module]:
    """The block, whose parameters are not there before x is."""

    def wait(variables):
        return jax.lax.optimization_barrier((variables, x))[0]

    return nn.map_variables(block, "params", trans_in_fn=wait)


def dense(features: int, name: str, dtype, param_dtype, kernel_init=_xavier) -> nn.Dense:
    """A Dense for tokens; call it inside a compact method."""
    return nn.Dense(
        features, kernel_init=kernel_init, dot_general=flat_dot, dtype=dtype, param_dtype=param_dtype, name=name
    )
