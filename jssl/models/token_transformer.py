"""Transformer over rows of token ids: text, or anything else that a vocabulary numbers."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.models import positions
from jssl.models.features import Features, mean_tokens
from jssl.models.norms import layer_norm
from jssl.models.transformer import Transformer


class TokenTransformer(nn.Module):
    """Transformer encoder of tokens, bidirectional (BERT) or causal (GPT), which reads packed rows.

    Pre-norm blocks and a final norm as in GPT-2 (Radford et al., Language Models are Unsupervised Multitask Learners,
    2019), with the exact GELU and layer norm epsilon 1e-6 where GPT-2 has tanh's approximation and 1e-5; BERT
    (arXiv:1810.04805) normalises after the sums. No dropout.

    A row may hold several documents: none attends to another, positions start again with each, and what comes out is
    what each document would give in a row of its own.

    Parameter names: ``embedding``, ``pos_embed``, ``encoder/block_{i}/...`` and ``norm``. ``params["embedding"]``,
    (vocabulary, width), is also the output embedding of losses that tie the two.

    Attributes:
      vocabulary: number of token ids.
      length: the longest row; with rotary positions rows may be longer.
      width: of a token.
      depth: blocks.
      heads: attention heads.
      mlp_ratio, mlp, causal: see ``Transformer``.
      positions: ``"learned"``, or ``"rotary"`` (arXiv:2104.09864).
      pool: ``"mean"`` of the real tokens, ``"last"`` of them (CLIP's end of text), or ``"none"``. They are pooled over
        the row, whatever documents it packs.
      initializer: of the blocks' kernels, see ``Transformer``; embeddings start normal with deviation 0.02 always.
      drop_path, remat, scan, attention: see ``Transformer``.
      dtype: compute dtype; norms, softmax and pooling are float32 always.
      param_dtype: parameter dtype.

    >>> model = TokenTransformer(vocabulary=50, length=8, width=16, depth=1, heads=2, causal=True, pool="last")
    >>> tokens, segments = jnp.array([[7, 3, 9, 4, 0]]), jnp.array([[1, 1, 2, 2, 0]])
    >>> variables = jax.jit(model.init)(jax.random.key(0), tokens)
    >>> features = jax.jit(model.apply)(variables, tokens, segments=segments)
    >>> features.pooled.shape, features.tokens.shape, variables["params"]["embedding"].shape
    ((1, 16), (1, 5, 16), (50, 16))
    """

    vocabulary: int
    length: int
    width: int
    depth: int
    heads: int
    mlp_ratio: float = 4.0
    mlp: str = "gelu"
    causal: bool = False
    positions: str = "learned"
    pool: str = "mean"
    initializer: str = "gpt2"
    drop_path: float = 0.0
    remat: str = "none"
    scan: bool = False
    attention: str | None = None
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, tokens: jax.Array, *, segments: jax.Array | None = None, keys: jax.Array | None = None, last: int = 0
    ) -> Features:
        """Encodes rows of tokens.

        Args:
          tokens: (B, L) int ids; one beyond the vocabulary makes its row NaN, padding included.
          segments: (B, L) int, which document of the row a token belongs to: 1, 2, ... side by side, 0 for padding;
            None where the row is one document.
          keys: (B,) PRNG keys, one per example, for drop path; None for evaluation.
          last: how many blocks' outputs to return as layers, counted from the end; static.

        Returns:
          Features: pooled (B, width), None with ``pool="none"``; tokens (B, L, width) after the final norm; and layers
          (last, B, L, width) before it. What comes out in the place of padding means nothing.

        Raises:
          ValueError: rows that are too long, segments of another shape, or attributes that make no sense.
        """
        self._check(tokens, segments)
        init = nn.initializers.normal(0.02)
        embedding = self.param("embedding", init, (self.vocabulary, self.width), self.param_dtype)
        x = jnp.take(embedding, tokens, axis=0).astype(self.dtype)

        mask = real = None
        places = jnp.arange(tokens.shape[1], dtype=jnp.int32)[None]
        if segments is not None:
            # Padding attends to padding: a softmax over nothing would not be finite.
            mask = segments[:, :, None] == segments[:, None, :]
            real = segments > 0
            places = positions.within_segments(segments)
        if self.positions == "learned":
            table = self.param("pos_embed", init, (self.length, self.width), self.param_dtype)
            x = x + jnp.take(table, places, axis=0).astype(self.dtype)

        x, layers = Transformer(
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            mlp=self.mlp,
            causal=self.causal,
            initializer=self.initializer,
            drop_path=self.drop_path,
            remat=self.remat,
            scan=self.scan,
            attention=self.attention,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            name="encoder",
        )(x, mask=mask, places=places if self.positions == "rotary" else None, keys=keys, last=last)
        x = layer_norm(x, name="norm", dtype=self.dtype, param_dtype=self.param_dtype)
        return Features(self._pool(x, real), x, layers)

    def _pool(self, x, real):
        if self.pool == "none":
            return None
        if self.pool == "mean":
            return mean_tokens(x, real)
        if real is None:
            return x[:, -1]
        place = jnp.arange(x.shape[1], dtype=jnp.int32)[None]
        return positions.take_tokens(x, jnp.max(jnp.where(real, place, 0), 1, keepdims=True))[:, 0]

    def _check(self, tokens, segments):
        if self.positions not in ("learned", "rotary") or self.pool not in ("mean", "last", "none"):
            raise ValueError(
                f"positions={self.positions!r}, pool={self.pool!r}: use learned or rotary; mean, last or none"
            )
        if self.positions == "learned" and tokens.shape[1] > self.length:
            raise ValueError(
                f"rows of {tokens.shape[1]} tokens, but learned positions end at length={self.length}: "
                f"use length={tokens.shape[1]} or shorter rows"
            )
        if segments is not None and segments.shape != tokens.shape:
            raise ValueError(f"segments {segments.shape} must have the shape of tokens {tokens.shape}")
