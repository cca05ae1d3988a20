"""The MAE decoder: from the encoded visible patches back to the pixels of all patches."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.models import positions
from jssl.models.norms import layer_norm
from jssl.models.transformer import Transformer, dense


class MAEDecoder(nn.Module):
    """Fills the removed places with one learned token, adds positions, and predicts every patch's pixels.

    He et al., Masked Autoencoders Are Scalable Vision Learners, arXiv:2111.06377; layer by layer as in the authors' code.

    Attributes:
      width: of the decoder's tokens.
      depth: blocks.
      heads: attention heads.
      patch_size: pixels per side of a patch.
      channels: of a pixel.
      tubelet: frames of a patch, of clips.
      grid: rows and columns of patches; one number is both. Of clips, time, rows and columns.
      mlp_ratio: hidden width of the MLP over the width.
      remat, scan, attention: see ``Transformer``.
      dtype: compute dtype.
      param_dtype: parameter dtype.

    >>> model = MAEDecoder(width=8, depth=1, heads=2, patch_size=4, grid=2)
    >>> tokens, restore = jnp.ones((1, 1, 16)), jnp.array([[1, 0, 2, 3]])
    >>> y, variables = jax.jit(model.init_with_output)(
    ...     jax.random.key(0), tokens, restore, class_token=jnp.ones((1, 16))
    ... )
    >>> y.shape
    (1, 4, 48)
    """

    width: int
    depth: int
    heads: int
    patch_size: int
    grid: int | tuple[int, ...]
    channels: int = 3
    tubelet: int = 1
    mlp_ratio: float = 4.0
    remat: str = "none"
    scan: bool = False
    attention: str | None = None
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, tokens: jax.Array, restore: jax.Array, *, class_token: jax.Array | None) -> jax.Array:
        """Returns the (B, N, tubelet * patch_size^2 * channels) prediction, values in ([frame,] row, column, channel) order.

        Args:
          tokens: (B, K, D) encoded visible patches, as ``ViT`` returns them.
          restore: (B, N) int; place n of the image is row ``restore[n]`` of [visible, removed].
          class_token: (B, D), the encoder's pooled class token, which takes part in attention; None without one. It has
            no default, because an encoder whose class token is left out here never trains it.

        Raises:
          ValueError: ``restore`` does not have the places of the grid.
        """
        grid = (self.grid, self.grid) if isinstance(self.grid, int) else self.grid
        places = math.prod(grid)
        if restore.shape[1] != places or tokens.shape[1] > places:
            raise ValueError(
                f"restore {restore.shape} and tokens {tokens.shape} do not fit a grid of {'x'.join(map(str, grid))} patches"
            )
        embed = dense(self.width, "embed", self.dtype, self.param_dtype)
        mask_token = self.param("mask_token", nn.initializers.normal(0.02), (1, 1, self.width), self.param_dtype)
        x = embed(tokens.astype(self.dtype))
        removed = jnp.broadcast_to(mask_token.astype(self.dtype), (x.shape[0], places - x.shape[1], self.width))
        x = positions.take_tokens(jnp.concatenate([x, removed], 1), restore)
        x = x + jnp.asarray(positions.sincos(self.width, self.grid), self.dtype)[None]
        if class_token is not None:
            x = jnp.concatenate([embed(class_token.astype(self.dtype))[:, None], x], 1)

        x, _ = Transformer(
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            remat=self.remat,
            scan=self.scan,
            attention=self.attention,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            name="decoder",
        )(x)
        x = layer_norm(x[:, -places:], name="norm", dtype=self.dtype, param_dtype=self.param_dtype)
        values = self.tubelet * self.patch_size**2 * self.channels
        return dense(values, "predict", self.dtype, self.param_dtype)(x)
