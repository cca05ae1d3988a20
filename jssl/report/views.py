"""What a method sees: one row per example, the example first, then its views and masks; tokens are printed as text."""

import jax
import numpy as np

from jssl.data import stack
from jssl.data.card import Card
from jssl.data.source import About
from jssl.data.text import tokenizers
from jssl.report import drawings, grid
from jssl.train import setup
from jssl.train.state import make_views


def draw(config, out: str, *, num: int = 8) -> None:
    """Writes a PNG of the views of the first ``num`` training examples, and prints those of their views that are tokens.

    A clip is a row of frames, a sound its spectrogram.

    Args:
      config: see ``jssl.config.default_config``.
      out: the file; not written where nothing can be drawn.
      num: examples, one per row.
    """
    source = setup.open_data(config, "train")
    run = setup.build(config, Card.of(source))
    rows = range(min(num, len(source)))
    batch = {**stack(source, rows), "index": np.arange(len(rows), dtype=np.int32)}
    made, _ = jax.jit(lambda b: make_views(run.method, run.key, 0, b))(batch)
    # Views that belong together may be a record of several arrays.
    leaves = jax.tree_util.tree_leaves_with_path(made)
    views = {jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(value) for path, value in leaves}
    if source.about.tokenizer:
        _print_tokens(views, tokenizers.make(source.about.tokenizer))
    sheet = Sheet(config, run.method, source)
    if not sheet.panels(views):
        return
    examples = [{name: value[i] for name, value in batch.items()} for i in rows]
    cells = [
        sheet.row(example, {name: value[i] for name, value in views.items()}) for i, example in enumerate(examples)
    ]
    grid.save_png(out, grid.image_grid(cells, scale=max(1, 96 // cells[0][0].shape[0])))
    print(f"{out}: {len(rows)} examples, a row each: the {sheet.field}, then {', '.join(sheet.panels(views))}")


class Sheet:
    """How the examples of a run are drawn.

    Args:
      config: of the run.
      method: of the run.
      source: its data.
    """

    def __init__(self, config, method, source):
        self._about: About = source.about
        self._statistics = drawings.statistics(config, source.spec, source.about)
        self._patch = config.method.get("encoder", {}).get("patch_size", 16)
        self._tubelet = config.method.get("encoder", {}).get("tubelet", None) or 2
        self.field = drawings.field_of({name: None for name in method.fields if name in source.spec})

    def panels(self, views: dict) -> list[str]:
        """Names of what is drawn after the example, of a batch of views."""
        names = [name for name, value in views.items() if self._pictures(name, value[0])]
        masks = [name for name in views if name == "mask" or _mask_of(name) in views]
        return names + (masks if names else [])

    def row(self, example: dict, views: dict) -> list[np.ndarray]:
        """The pictures of one example: itself, its views, and the first of these with what is hidden dark."""
        drawn = {name: self._pictures(name, value) for name, value in views.items()}
        shown = [picture for pictures in drawn.values() for picture in pictures]
        length = next((len(pictures) for pictures in drawn.values() if pictures), 0)  # of a clip
        row = drawings.whole({self.field: example[self.field]}, self._about)
        row = row + [self._turned(picture) for pictures in drawn.values() for picture in self._some(pictures)]
        return row + [
            self._turned(grid.mask_image(shown[i], hidden)) for i, hidden in self._hidden(views, shown, length)
        ]

    def _pictures(self, name: str, value: np.ndarray) -> list[np.ndarray]:
        """The pictures (H, W, C), in [0, 1], that a view of an example holds: crops, frames, or a spectrogram."""
        if self.field is None or not np.issubdtype(value.dtype, np.floating):
            return []
        if self.field == "audio" and value.ndim == 1 and len(value) >= 128:
            return [drawings.spectrogram(value, self._about.sample_rate)]
        if value.ndim < 3 or value.shape[-1] not in (1, 3):
            return []
        pictures = value.reshape(-1, *value.shape[-3:]).astype(np.float32)
        if self.field == "audio":
            return [drawings.stretched(picture) for picture in pictures]
        # Lightness is in [-1, 1]; all else is normalised by the data's mean and deviation.
        statistics = {"mean": 0.5, "std": 0.5} if name == "lightness" else self._statistics
        return list(np.clip(pictures * statistics["std"] + statistics["mean"], 0, 1))

    def _some(self, pictures: list) -> list:
        return drawings.some(pictures) if self.field == "video" else pictures

    def _turned(self, picture: np.ndarray) -> np.ndarray:
        return drawings.turned(picture) if self.field == "audio" else picture

    def _hidden(self, views: dict, shown: list, length: int) -> list[tuple[int, np.ndarray]]:
        """(which picture, map of its patches that are dark): what is removed of each crop, or all but the context and all
        but each target. Of clips it is one frame of each tubelet."""
        height, width = (side // self._patch for side in shown[0].shape[:2])
        depth = length // self._tubelet if self.field == "video" else 1
        masks = []
        if "mask" in views:
            masks = list(enumerate(np.atleast_2d(views["mask"])))
        for name in views:
            if _mask_of(name) not in views:
                continue
            blocks = (np.atleast_2d(views[part]) for part in (name, _mask_of(name)))
            for indices, valid in zip(*(block.reshape(-1, block.shape[-1]) for block in blocks)):
                mask = np.ones(max(depth * height * width, 1 + int(indices.max(initial=0))))
                mask[indices[valid]] = 0
                masks.append((0, mask))
        hidden = []
        for crop, mask in masks:
            if mask.size != depth * height * width:
                continue  # of no patches
            maps = list(enumerate(mask.reshape(depth, height, width)))
            hidden += [(crop + self._tubelet * i if depth > 1 else crop, shape) for i, shape in drawings.some(maps)]
        return hidden


def _mask_of(name: str) -> str:
    """The view that says which of the places in a view are real, the rest being padding; "" for what lists no places.

    >>> _mask_of("context"), _mask_of("target_1"), _mask_of("context_mask"), _mask_of("video")
    ('context_mask', 'target_mask_1', '', '')
    """
    what, _, kind = name.partition("_")
    if what not in ("context", "target") or (kind and not kind.isdigit()):
        return ""
    return f"{what}_mask" + (f"_{kind}" if kind else "")


def _print_tokens(views: dict, tokenizer) -> None:
    for name, value in views.items():
        if np.issubdtype(value.dtype, np.integer) and value.ndim == 2 and name in ("tokens", "caption"):
            for i, row in enumerate(value):
                print(f"{name} {i}: {tokenizer.decode(row)!r}")
