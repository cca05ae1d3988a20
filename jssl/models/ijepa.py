"""The predictor of I-JEPA and V-JEPA: from an encoded context to the features of target blocks."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.models import positions
from jssl.models.activations import gelu
from jssl.models.norms import layer_norm
from jssl.models.transformer import Transformer, dense


class IJEPAPredictor(nn.Module):
    """Attends from mask tokens at a block's places to the context and to each other, one block at a time.

    Assran et al., Self-Supervised Learning from Images with a Joint-Embedding Predictive Architecture,
    arXiv:2301.08243. As in the authors' code, the M blocks of an image do not see each other: they are M rows of one
    batch of B * M. Here contexts and blocks may be padded, so that shapes are static. V-JEPA, arXiv:2404.08471, has the same
    over the tubelets of a clip, with a mask token for each kind of mask.

    Attributes:
      width: of the predictor's tokens.
      depth: blocks.
      heads: attention heads.
      grid: rows and columns of patches; one number is both. Of clips, time, rows and columns.
      out_dim: width of what is predicted.
      mask_tokens: kinds of mask, each of which has a token of its own.
      positions: ``"sincos"`` or ``"rotary"``, see ``ViT``.
      mlp_ratio: hidden width of the MLP over the width.
      drop_path, remat, scan, attention: see ``Transformer``.
      dtype: compute dtype.
      param_dtype: parameter dtype.

    >>> model = IJEPAPredictor(width=8, depth=1, heads=2, grid=3, out_dim=16)
    >>> context, target = jnp.array([[0, 1, 2]]), jnp.array([[[4, 5], [7, 8]]])
    >>> y, variables = jax.jit(model.init_with_output)(
    ...     jax.random.key(0), jnp.ones((1, 3, 16)), context, None, target, None
    ... )
    >>> y.shape
    (1, 2, 2, 16)
    """

    width: int
    depth: int
    heads: int
    grid: int | tuple[int, ...]
    out_dim: int
    mask_tokens: int = 1
    positions: str = "sincos"
    mlp_ratio: float = 4.0
    drop_path: float = 0.0
    remat: str = "none"
    scan: bool = False
    attention: str | None = None
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        context: jax.Array,
        context_indices: jax.Array,
        context_mask: jax.Array | None,
        target_indices: jax.Array,
        target_mask: jax.Array | None,
        *,
        kind: int = 0,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """Returns the (B, M, Kt, out_dim) predictions; those of padded targets mean nothing.

        Args:
          context: (B, Kc, D) encoded context patches.
          context_indices: (B, Kc) int, their places in the grid.
          context_mask: (B, Kc) bool, False for padding; None for no padding.
          target_indices: (B, M, Kt) int, places of the M target blocks.
          target_mask: (B, M, Kt) bool, False for padding; None for no padding.
          kind: which mask token; static.
          keys: (B,) PRNG keys for drop path.
        """
        batch, blocks, size = target_indices.shape
        x = dense(self.width, "embed", self.dtype, self.param_dtype)(context.astype(self.dtype))
        x = self.attend(x, context_indices, context_mask, target_indices, target_mask, kind=kind, keys=keys)
        x = layer_norm(x[:, -size:], name="norm", dtype=self.dtype, param_dtype=self.param_dtype)
        x = dense(self.out_dim, "predict", self.dtype, self.param_dtype)(x)
        return x.reshape(batch, blocks, size, self.out_dim)

    def attend(self, x, context_indices, context_mask, target_indices, target_mask, *, kind, keys):
        """(B, Kc, width) embedded context -> (B * M, Kc + Kt, width), before the last norm."""
        batch, blocks, size = target_indices.shape
        length = x.shape[1]
        mask_token = self.param(
            "mask_token", nn.initializers.truncated_normal(0.02), (self.mask_tokens, 1, 1, self.width), self.param_dtype
        )
        token = mask_token[kind % self.mask_tokens].astype(self.dtype)[None]
        queries, places = jnp.broadcast_to(token, (*target_indices.shape, self.width)), None
        if self.positions == "rotary":
            indices = jnp.broadcast_to(context_indices[:, None], (batch, blocks, length))
            indices = jnp.concatenate([indices, target_indices], 2).reshape(batch * blocks, length + size)
            places = positions.coordinates(indices, self.grid)
        else:
            table = jnp.asarray(positions.sincos(self.width, self.grid), self.dtype)
            x = x + jnp.take(table, context_indices, axis=0)
            queries = queries + jnp.take(table, target_indices, axis=0)
        x = jnp.broadcast_to(x[:, None], (batch, blocks, length, self.width))
        x = jnp.concatenate([x, queries], 2).reshape(batch * blocks, length + size, self.width)

        mask = None
        if context_mask is not None or target_mask is not None:
            valid = jnp.ones((batch, length), bool) if context_mask is None else context_mask
            wanted = jnp.ones((batch, blocks, size), bool) if target_mask is None else target_mask
            valid = jnp.broadcast_to(valid[:, None], (batch, blocks, length))
            mask = jnp.concatenate([valid, wanted], 2).reshape(batch * blocks, length + size)
        if keys is not None:
            keys = jax.vmap(lambda key: jax.vmap(lambda m: jax.random.fold_in(key, m))(jnp.arange(blocks)))(keys)
            keys = keys.reshape(-1)

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
        )(x, mask=mask, places=places, keys=keys)
        return x


class VJEPA21Predictor(IJEPAPredictor):
    """The predictor of V-JEPA 2.1 (arXiv:2603.14482), which names the features of the context, too.

    As ``IJEPAPredictor`` with these differences: the context comes as several levels of an encoder side by side, which an MLP
    brings to the width, and its tokens are read out as well, by a layer of their own. ``out_dim`` is that of all levels together.

    >>> model = VJEPA21Predictor(width=8, depth=1, heads=2, grid=3, out_dim=32)
    >>> context, target = jnp.array([[0, 1, 2]]), jnp.array([[[4, 5], [7, 8]]])
    >>> (y, z), _ = jax.jit(model.init_with_output)(
    ...     jax.random.key(0), jnp.ones((1, 3, 32)), context, None, target, None
    ... )
    >>> y.shape, z.shape
    ((1, 2, 2, 32), (1, 2, 3, 32))
    """

    hidden: int | None = None  # width of the MLP, in the authors' code that of the encoder; None for twice this one's

    @nn.compact
    def __call__(  # type: ignore[override]  # gives two arrays
        self,
        context: jax.Array,
        context_indices: jax.Array,
        context_mask: jax.Array | None,
        target_indices: jax.Array,
        target_mask: jax.Array | None,
        *,
        kind: int = 0,
        keys: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """Returns the predictions at the targets (B, M, Kt, out_dim), and at the context (B, M, Kc, out_dim).

        Args are those of ``IJEPAPredictor``, with context (B, Kc, levels * D).
        """
        batch, blocks, size = target_indices.shape
        x = dense(self.hidden or 2 * self.width, "embed1", self.dtype, self.param_dtype)(context.astype(self.dtype))
        x = dense(self.width, "embed2", self.dtype, self.param_dtype)(gelu(x))
        x = self.attend(x, context_indices, context_mask, target_indices, target_mask, kind=kind, keys=keys)
        x = layer_norm(x, name="norm", dtype=self.dtype, param_dtype=self.param_dtype)
        targets = dense(self.out_dim, "predict", self.dtype, self.param_dtype)(x[:, -size:])
        contexts = dense(self.out_dim, "predict_context", self.dtype, self.param_dtype)(x[:, :-size])
        return targets.reshape(batch, blocks, size, -1), contexts.reshape(batch, blocks, context.shape[1], -1)
