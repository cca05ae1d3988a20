"""Vision transformer that can read a subset of the patches of an image, or of the tubelets of a clip."""

import functools
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.models import positions
from jssl.models.features import Features, mean_tokens
from jssl.models.norms import layer_norm, make_layer_norm
from jssl.models.transformer import Transformer, dense

SIZES = {
    "tiny": {"width": 192, "depth": 12, "heads": 3},
    "small": {"width": 384, "depth": 12, "heads": 6},
    "base": {"width": 768, "depth": 12, "heads": 12},
    "large": {"width": 1024, "depth": 24, "heads": 16},
    "huge": {"width": 1280, "depth": 32, "heads": 16},
}

_token_init = nn.initializers.truncated_normal(0.02)


class ViT(nn.Module):
    """Vision transformer encoder.

    Dosovitskiy et al., arXiv:2010.11929, in the layout of timm and DeiT (pre-norm, exact GELU, layer norm epsilon
    1e-6). Parameter names: ``patch_embed``, ``class_token``, ``registers``, ``pos_embed``,
    ``encoder/block_{i}/...`` and ``norm``.

    Attributes:
      patch_size: pixels per side of a patch.
      width: of a token.
      depth: blocks.
      heads: attention heads.
      mlp_ratio: hidden width of the MLP over the width.
      class_token: put a learned token in front.
      registers: learned tokens that take part in attention and are dropped at the end (arXiv:2309.16588).
      positions: ``"learned"``; ``"sincos"``, fixed and the same as MAE's, or V-JEPA's for clips; ``"rotary"``, which turns queries
        and keys by row and column, and time (V-JEPA 2), and leaves class token and registers as they are.
      image_size: side of the images that the position table is made for, or height and width; other sizes resample it
        bicubically.
      tubelet: frames of a patch: the encoder reads clips (arXiv:2103.15691). None reads images.
      frames: of the clips that the position table is made for; other lengths resample it.
      pool: ``"token"`` (the class token), ``"mean"`` (of the patch tokens) or ``"none"``.
      mask_token: learn a token that takes the place of the patches named by ``masked`` (BEiT, iBOT, data2vec).
      patch_norm: layer norm before and after the projection of the patches (Dual PatchNorm, arXiv:2302.01327). It
        decided whether short runs with latent targets learn: see ``docs/experiments.md``.
      drop_path, drop_path_uniform, layer_scale, remat, scan, attention: see ``Transformer``.
      dtype: compute dtype; norms, softmax and pooling are float32 always.
      param_dtype: parameter dtype.

    >>> model = ViT(patch_size=4, width=16, depth=1, heads=2, image_size=8)
    >>> images = jnp.zeros((2, 8, 8, 3))
    >>> variables = jax.jit(model.init)(jax.random.key(0), images)
    >>> features = jax.jit(model.apply)(variables, images, indices=jnp.array([[0, 3], [1, 2]]))
    >>> features.pooled.shape, features.tokens.shape
    ((2, 16), (2, 2, 16))
    """

    patch_size: int
    width: int
    depth: int
    heads: int
    mlp_ratio: float = 4.0
    class_token: bool = True
    registers: int = 0
    positions: str = "learned"
    image_size: int | tuple[int, int] = 224
    tubelet: int | None = None
    frames: int = 16
    pool: str = "token"
    mask_token: bool = False
    patch_norm: bool = False
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
        images: jax.Array,
        *,
        indices: jax.Array | None = None,
        token_mask: jax.Array | None = None,
        masked: jax.Array | None = None,
        keys: jax.Array | None = None,
        last: int = 0,
    ) -> Features:
        """Encodes images or clips, or the patches of them that ``indices`` names.

        Args:
          images: (B, H, W, C) float; H and W are multiples of the patch size. With ``tubelet`` (B, T, H, W, C).
          indices: (B, K) int, patches to keep, in raster order of the grid, of clips frame after frame; class token and registers
            always stay.
          token_mask: (B, K) bool, False for padding: a token that nobody attends to and that pooling leaves out.
          masked: (B, N) bool, patches whose content the mask token hides; they keep their position.
          keys: (B,) PRNG keys, one per example, for drop path; None for evaluation.
          last: how many blocks' outputs to return as layers, counted from the end; static.

        Returns:
          Features: pooled (B, width), None with ``pool="none"``; the patch tokens (B, K, width) after the final norm,
          without class token and registers; layers (last, B, K, width) before that norm, of the same tokens, and
          pooled_layers (last, B, width) after it; class_token (B, width) where there is one.

        Raises:
          ValueError: an image or clip that patches do not tile, attributes that contradict each other, or more layers than
            there are blocks.
        """
        self._check(images, masked is not None)
        grid = tuple(side // patch for side, patch in zip(images.shape[1:-1], self._patch()))
        norm = functools.partial(layer_norm, dtype=self.dtype, param_dtype=self.param_dtype)
        x = self._patches(images, grid)
        x = norm(x, name="patch_norm1") if self.patch_norm else x
        x = dense(self.width, "patch_embed", self.dtype, self.param_dtype)(x)
        x = norm(x, name="patch_norm2") if self.patch_norm else x
        if self.mask_token:  # made even when nothing is masked, so that every call has the same parameters
            hidden = self.param("mask_token", _token_init, (1, 1, self.width), self.param_dtype).astype(self.dtype)
            x = x if masked is None else jnp.where(masked[..., None], hidden, x)
        table, prefix = self._position_table(), int(self.class_token)
        if table is not None:
            table = table.astype(self.dtype)
            x = x + positions.resample(table[:, prefix:], grid, self._table_grid())
        if indices is not None:
            x = positions.take_tokens(x, indices)

        front = []
        if self.class_token:
            token = self.param("class_token", _token_init, (1, 1, self.width), self.param_dtype)
            token = token.astype(self.dtype)
            front.append(token if table is None else token + table[:, :1])
        if self.registers:
            tokens = self.param("registers", _token_init, (1, self.registers, self.width), self.param_dtype)
            front.append(tokens.astype(self.dtype))
        extra = prefix + self.registers
        x = jnp.concatenate([*(jnp.broadcast_to(t, (x.shape[0], *t.shape[1:])) for t in front), x], 1)
        mask = token_mask
        if mask is not None:
            mask = jnp.concatenate([jnp.ones((x.shape[0], extra), bool), mask], 1)
        places = None
        if self.positions == "rotary":
            places = positions.coordinates(jnp.arange(math.prod(grid))[None] if indices is None else indices, grid)
            places = jnp.pad(places, ((0, 0), (extra, 0), (0, 0)))

        x, layers = Transformer(
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            drop_path=self.drop_path,
            drop_path_uniform=self.drop_path_uniform,
            layer_scale=self.layer_scale,
            remat=self.remat,
            scan=self.scan,
            attention=self.attention,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            name="encoder",
        )(x, mask=mask, places=places, keys=keys, last=last)
        final = make_layer_norm(name="norm", dtype=self.dtype, param_dtype=self.param_dtype)
        x = final(x)
        pool = functools.partial(self._pooled, extra=extra, token_mask=token_mask)
        pooled_layers: jax.Array | None = None
        if layers is not None:  # what nobody reads of these is not computed
            if self.pool != "none":
                pooled_layers = jnp.stack([pool(final(layer)) for layer in layers])
            layers = layers[:, :, extra:]
        return Features(pool(x), x[:, extra:], layers, pooled_layers, x[:, 0] if self.class_token else None)

    def _pooled(self, x, *, extra: int, token_mask):
        """(B, extra + N, D), after the final norm -> (B, D)."""
        if self.pool == "token":
            return x[:, 0]
        return mean_tokens(x[:, extra:], token_mask) if self.pool == "mean" else None

    def _check(self, images, masked: bool):
        patch, what = self._patch(), "images" if self.tubelet is None else "clips"
        if images.ndim != len(patch) + 2:
            axes = "(B, H, W, C)" if self.tubelet is None else "(B, T, H, W, C)"
            raise ValueError(f"an encoder of {what} reads {axes}, got shape {images.shape}; tubelet={self.tubelet}")
        sides = (*images.shape[1:-1], *self._made_for())
        if any(side % size for side, size in zip(sides, patch + patch)):
            shape = "x".join(map(str, images.shape[1:-1]))
            told = f"image_size={self.image_size}" + ("" if self.tubelet is None else f", frames={self.frames}")
            units = "pixels" if self.tubelet is None else f"pixels and {self.tubelet} frames"
            raise ValueError(
                f"patches of {self.patch_size} {units} do not tile {shape} {what} ({told}); use multiples of {self.patch_size}"
                + ("" if self.tubelet is None else f", and of {self.tubelet} frames")
            )
        known = ("learned", "sincos", "rotary")
        if self.pool not in ("token", "mean", "none") or self.positions not in known:
            raise ValueError(
                f"pool={self.pool!r}, positions={self.positions!r}: use token, mean or none; {', '.join(known[:2])} or {known[2]}"
            )
        if masked and not self.mask_token:
            raise ValueError("masked= needs mask_token=True")
        if self.pool == "token" and not self.class_token:
            raise ValueError("pool='token' needs class_token=True; use pool='mean'")

    def _patch(self) -> tuple[int, ...]:
        """[Frames,] rows and columns of a patch."""
        return (*(() if self.tubelet is None else (self.tubelet,)), self.patch_size, self.patch_size)

    def _made_for(self) -> tuple[int, ...]:
        """[Frames,] height and width that the position table is made for."""
        size = self.image_size
        height, width = (size, size) if isinstance(size, int) else size
        return (*(() if self.tubelet is None else (self.frames,)), height, width)

    def _table_grid(self) -> tuple[int, ...]:
        return tuple(side // patch for side, patch in zip(self._made_for(), self._patch()))

    def _patches(self, images, grid):
        """(B, [T,] H, W, C) -> (B, N, V), values in ([frame,] row, column, channel) order, as ``objectives.patchify``."""
        patch, axes = self._patch(), len(grid)
        x = images.astype(self.dtype)
        x = x.reshape(len(x), *(n for pair in zip(grid, patch) for n in pair), x.shape[-1])
        x = x.transpose(0, *range(1, 2 * axes, 2), *range(2, 2 * axes + 1, 2), 2 * axes + 1)
        return x.reshape(len(x), math.prod(grid), math.prod(patch) * x.shape[-1])

    def _position_table(self):
        """(1, [1 +] N, D): the class token has a row of its own, zero where positions are fixed. None where they are rotary."""
        grid, prefix = self._table_grid(), int(self.class_token)
        if self.positions == "learned":
            return self.param("pos_embed", _token_init, (1, prefix + math.prod(grid), self.width), self.param_dtype)
        if self.positions == "rotary":
            return None
        return jnp.pad(jnp.asarray(positions.sincos(self.width, grid)), ((prefix, 0), (0, 0)))[None]


def inflate(kernel: jax.Array, tubelet: int) -> jax.Array:
    """The patch embedding of an encoder of images as one of an encoder of clips: ``params["patch_embed"]["kernel"]``.

    Every frame of a tubelet gets the same weights, divided by the number of frames, so that a clip that stands still is embedded as
    its picture is (Carreira & Zisserman, arXiv:1705.07750). The other parameters of the two are alike; learned positions are
    not, since a clip has more places.

    Args:
      kernel: (p * p * C, D).
      tubelet: frames of a patch.

    Returns:
      (tubelet * p * p * C, D), in kernel's dtype.

    >>> inflate(jnp.ones((4, 3)), 2).shape, float(inflate(jnp.ones((4, 3)), 2).sum())
    ((8, 3), 12.0)
    """
    return jnp.tile(kernel, (tubelet, 1)) / jnp.asarray(tubelet, kernel.dtype)


def make(size: str, **overrides) -> ViT:
    """Returns the ViT called ``tiny``, ``small``, ``base``, ``large`` or ``huge``, patch 16 unless overridden."""
    if size not in SIZES:
        raise ValueError(f"no ViT {size!r}: use {', '.join(SIZES)}")
    return ViT(**({"patch_size": 16} | SIZES[size] | overrides))
