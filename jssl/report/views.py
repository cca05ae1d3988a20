"""What a method sees: one row per example, the picture first, then its views and masks; tokens are printed as text."""

import math

import jax
import numpy as np

from jssl import methods
from jssl.data import stack, tokenizers
from jssl.data.card import Card
from jssl.methods.options import Given
from jssl.report import grid
from jssl.train import setup
from jssl.train.state import make_views


def draw(config, out: str, *, num: int = 8) -> None:
    """Writes a PNG of the views of the first ``num`` training examples, and prints those of their views that are tokens.

    Args:
      config: see ``jssl.config.default_config``.
      out: the file; not written where nothing is a picture.
      num: examples, one per row.
    """
    source = setup.open_data(config, "train")
    run = setup.build(config, Card.of(source))
    rows = range(min(num, len(source)))
    batch = {**stack(source, rows), "index": np.arange(len(rows), dtype=np.int32)}
    views, _ = jax.jit(lambda b: make_views(run.method, run.key, 0, b))(batch)
    views = {name: np.asarray(value) for name, value in views.items()}
    if source.about.tokenizer:
        _print_tokens(views, tokenizers.make(source.about.tokenizer))
    if not panels(views):
        return
    options = config.method.to_dict()
    image = methods.complete_options(options.pop("name"), options)["image"]
    raw = next(value for value in batch.values() if _is_image(value))
    patches = (image.size // config.method.get("encoder", {}).get("patch_size", 16)) ** 2
    grid.save_png(out, picture(raw, views, num_patches=patches, **image.statistics(Given(source.spec, source.about))))
    print(f"{out}: {len(raw)} examples, a row each: the picture, then {', '.join(panels(views))}")


def panels(views: dict) -> list[str]:
    """Names of what is drawn after the raw picture."""
    names = [name for name, value in views.items() if _is_image(value)]
    blocks = ["context", "target"] if "context" in views else []
    return names + [name for name in ("mask", *blocks) if names and name in views]


def picture(images, views: dict, *, num_patches: int, mean, std) -> np.ndarray:
    """The grid as (H, W, 3) uint8: pictures and views side by side, masked patches dark."""
    rows = []
    for i, image in enumerate(images):
        row = [image]
        for name, value in views.items():
            if _is_image(value):
                crops = value[i][None] if value.ndim == 4 else value[i]
                # Lightness is in [-1, 1]; all else is normalised by the data's mean and deviation.
                shift, scale = (0.5, 0.5) if name == "lightness" else (np.asarray(mean), np.asarray(std))
                row.extend(np.clip(crop * scale + shift, 0, 1) for crop in crops)
        row.extend(grid.mask_image(row[1 + crop], hidden) for crop, hidden in _hidden(views, i, num_patches))
        rows.append(row)
    return grid.image_grid(rows, scale=max(1, 96 // images.shape[1]))


def _print_tokens(views: dict, tokenizer) -> None:
    for name, value in views.items():
        if np.issubdtype(value.dtype, np.integer) and value.ndim == 2 and name in ("tokens", "caption"):
            for i, row in enumerate(value):
                print(f"{name} {i}: {tokenizer.decode(row)!r}")


def _hidden(views: dict, i: int, num_patches: int) -> list[tuple[int, np.ndarray]]:
    """(crop, square mask of what is dark): MAE's removed patches, or those of each global crop (iBOT); all but the
    context and all but each target of I-JEPA."""
    if "mask" in views:
        return [(crop, _square(mask)) for crop, mask in enumerate(np.atleast_2d(views["mask"][i]))]
    if "context" not in views:
        return []
    blocks = [(views["context"][i], views["context_mask"][i]), *zip(views["target"][i], views["target_mask"][i])]
    hidden = []
    for indices, valid in blocks:
        mask = np.ones(num_patches)
        mask[indices[valid]] = 0
        hidden.append((0, _square(mask)))
    return hidden


def _square(mask: np.ndarray) -> np.ndarray:
    side = math.isqrt(len(mask))
    return mask.reshape(side, side)


def _is_image(value) -> bool:
    return value.ndim in (4, 5) and value.shape[-1] in (1, 3)
