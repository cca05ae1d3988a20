"""What V-JEPA and its successors share: several masks of each clip, and features of the places that these name."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jssl import views
from jssl.methods import encoders
from jssl.methods.options import Given, Transformer, VideoInput

Grid = tuple[int, int, int]
VIT = {"name": "vit_large", "positions": "sincos", "class_token": False, "pool": "mean"}


@dataclasses.dataclass(frozen=True)
class ClipMasks:
    """Contexts and targets of one clip, see ``views.multi_block_3d``. Each kind of mask is predicted by itself.

    Attributes:
      sampler: ``"fixed"`` or ``"official"``.
      num_blocks: blocks cut out, of each kind.
      spatial_scale: area of a block as a share of the frame, of each kind.
      temporal_scale: range of the duration of a block as a share of the clip.
      aspect: range of the height / width of a block.
      max_context_duration: share of the clip, from its start, that contexts may see.
      context_size: most context tubelets used, of each kind (static shapes); None takes all that there may be.
      target_size: most target tubelets predicted, of each kind; likewise.
    """

    sampler: str = "fixed"
    num_blocks: tuple[int, ...] = (8, 2)
    spatial_scale: tuple[float, ...] = (0.15, 0.7)
    temporal_scale: tuple[float, float] = (1.0, 1.0)
    aspect: tuple[float, float] = (0.75, 1.5)
    max_context_duration: float = 1.0
    context_size: tuple[int, ...] | None = None
    target_size: tuple[int, ...] | None = None

    def __post_init__(self):
        for name in ("spatial_scale", "context_size", "target_size"):
            given = getattr(self, name)
            if given is not None and len(given) != self.kinds:
                raise ValueError(
                    f"method.masks.{name}={tuple(given)} and num_blocks={tuple(self.num_blocks)}: give one number of both per kind"
                )

    @property
    def kinds(self) -> int:
        """How many masks each clip gets."""
        return len(self.num_blocks)

    @property
    def coupled(self) -> str:
        """See ``Method``."""
        return "the official sampler cuts every mask to the batch's shortest" if self.sampler == "official" else ""

    def draw(self, key: jax.Array, batch_key: jax.Array, grid: Grid) -> dict[str, jax.Array]:
        """All masks of a clip: ``context_0``, ``context_mask_0``, ``target_0``, ``target_mask_0``, ``context_1`` and so on."""
        found: dict[str, jax.Array] = {}
        for kind in range(self.kinds):
            masks = views.multi_block_3d(
                jax.random.fold_in(key, kind),
                jax.random.fold_in(batch_key, kind),
                grid,
                sampler=self.sampler,
                num_blocks=self.num_blocks[kind],
                spatial_scale=(self.spatial_scale[kind],) * 2,
                temporal_scale=self.temporal_scale,
                aspect=self.aspect,
                max_context_duration=self.max_context_duration,
                context_size=None if self.context_size is None else self.context_size[kind],
                target_size=None if self.target_size is None else self.target_size[kind],
            )
            found |= {f"{name}_{kind}": value for name, value in masks.items()}
        return found

    def of(self, batch: dict, axis_name) -> list[dict[str, jax.Array]]:
        """The masks of a batch by kind, cut to the shortest ones of the batch where the sampler is the official one."""
        names = ("context", "context_mask", "target", "target_mask")
        found = [{name: batch[f"{name}_{kind}"] for name in names} for kind in range(self.kinds)]
        if self.sampler == "official":
            found = [views.truncate_clip_masks(masks, axis_name) for masks in found]
        return found


@dataclasses.dataclass(frozen=True)
class ClipPredictor(Transformer):
    """Size of a predictor, and its positions.

    Attributes:
      positions: ``"sincos"`` (V-JEPA) or ``"rotary"`` (V-JEPA 2), as a rule those of the encoder.
    """

    positions: str = "sincos"


def tubelets(method: str, given: Given, video: VideoInput, encoder: object) -> tuple[encoders.PatchEncoder, Grid]:
    """The encoder, and how many tubelets it cuts a clip into along time, rows and columns.

    Raises:
      ValueError: see ``encoders.make_patches``; an encoder of pictures; frames that tubelets do not tile.
    """
    vit = encoders.make_patches(
        method, encoder, field="video", image_size=video.size, frames=video.frames, dtype=given.dtype
    )
    if vit.tubelet is None:
        raise ValueError(f"{method} reads clips: use an encoder with a tubelet, such as vit_small")
    if video.frames % vit.tubelet or video.size % vit.patch_size:
        raise ValueError(
            f"{method}: patches of {vit.patch_size} pixels and {vit.tubelet} frames do not tile clips of "
            f"method.video.size={video.size} and frames={video.frames}; use multiples"
        )
    side = video.size // vit.patch_size
    return vit, (video.frames // vit.tubelet, side, side)


def make_views(given: Given, video: VideoInput, masks: ClipMasks, grid: Grid) -> Callable:
    """(key, example) -> the clip and its masks."""
    view = video.view(given, views.mae)

    def split(key, example):
        video_key, mask_key = jax.random.split(key)
        return {"video": view(video_key, example), **masks.draw(mask_key, example["batch_key"], grid)}

    return split


def standardized(tokens: jax.Array) -> jax.Array:
    """(..., D) -> float32: layer norm without scale and bias, of targets."""
    tokens = tokens.astype(jnp.float32)
    return (tokens - tokens.mean(-1, keepdims=True)) * jax.lax.rsqrt(tokens.var(-1, keepdims=True) + 1e-5)
