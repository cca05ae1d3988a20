"""Pictures of what a run has learned, on held-out examples of its own data."""

import dataclasses
import html
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from jssl import methods, views
from jssl.data import Source, open_source, stack
from jssl.evaluation import knn
from jssl.evaluation.features import extract
from jssl.report import drawings, grid, plane
from jssl.report.attention import attention, rollout, vit_of
from jssl.report.page import charts
from jssl.report.run import Loaded, load_run
from jssl.train import setup
from jssl.train.state import make_views

__all__ = ["Picture", "draw", "opened"]

BANK = 1000
"""Examples that neighbours are looked for among, and that are drawn as points."""
SHOWN = 6
"""Examples that are drawn one by one."""
SIDE = 96
"""Pixels of a side of each, about."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """One drawing.

    Attributes:
      title: a few words.
      caption: what is where in it, and how it was made; also for those who cannot see it.
      pixels: (H, W, 3) uint8, or None.
      svg: an ``<svg>`` element, or "".
    """

    title: str
    caption: str
    pixels: np.ndarray | None = None
    svg: str = ""


def opened(workdir: str | pathlib.Path, *, data: str | None = None) -> tuple[Loaded, Source]:
    """A run, and examples that it was not trained on where there are some.

    Args:
      workdir: of ``jssl pretrain``.
      data: another source than the one pretrained on.

    Raises:
      ValueError: no run or no whole checkpoint there, or the data cannot be opened.
    """
    loaded = load_run(workdir)
    config = loaded.run.config
    return loaded, open_source(data, "test") if data else setup.open_held_out(config) or setup.open_data(
        config, "train"
    )


def draw(loaded: Loaded, source: Source) -> list[Picture]:
    """All pictures that make sense for a run: of its features, of its patches where it has a ViT, of what its method predicts."""
    rows = np.sort(np.random.default_rng(0).permutation(len(source))[:BANK])
    examples = stack(source, rows[:SHOWN])
    found = _of_features(loaded, source, rows)
    if "image" in loaded.run.method.readouts and "image" in source.spec:
        found += _of_patches(loaded, examples)
    if loaded.run.method.fields <= set(source.spec):
        found += _of_method(loaded, examples, rows[:SHOWN])
    if "flow" in loaded.run.method.readouts and "flow" in source.spec:
        found.append(_of_flow(loaded, examples))
    return found


def _of_features(loaded: Loaded, source: Source, rows: np.ndarray) -> list[Picture]:
    name, readout = next(iter(loaded.run.method.readouts.items()))
    features = extract(readout, methods.weights(loaded.state), source, indices=rows, batch_size=128)
    labels = stack(source, rows)["label"] if "label" in source.spec else None
    classes = [html.escape(name) for name in source.about.class_names]
    found = []
    for title, (places, how) in plane.places(features).items():
        told = f"{len(rows)} held-out examples ({name}) {how}" + ("; colours are classes" if labels is not None else "")
        found.append(Picture(title, told, svg=charts.points(places, labels, classes, title=told)))
    if drawings.field_of(source.spec):
        queries = slice(0, SHOWN)
        # The nearest is the example itself.
        order = knn.nearest(features, features[queries], k=min(7, len(rows)))
        sheet = [[drawings.thumb(source[rows[i]], source.about, SIDE) for i in near] for near in order]
        told = "each row: a held-out example, then those whose features are nearest to its by cosine, the nearest first"
        found.append(Picture("Nearest neighbours", told, grid.image_grid(sheet)))
    return found


def _of_patches(loaded: Loaded, examples: dict) -> list[Picture]:
    """PCA of the patches' features as colours, and attention; [] for an encoder without patches."""
    vit, params = vit_of(loaded)
    if vit is None:
        return []
    readout = loaded.run.method.readouts["image"]
    fields = {name: value for name, value in examples.items() if name in ("image", "size")}
    images = jax.jit(jax.vmap(readout.prepare))(fields)
    seen = _pixels(loaded, images)
    tokens = jax.jit(lambda x: vit.apply({"params": params}, x))(images).tokens
    side = images.shape[1] // vit.patch_size
    colours = _principal(np.asarray(tokens, np.float32)).reshape(-1, side, side, 3)
    told = (
        "above, held-out pictures as the encoder sees them; below, the first three principal components of the features of "
        "their patches as red, green and blue"
    )
    found = [Picture("Patches by their features", told, grid.image_grid([list(seen), [_large(c) for c in colours]]))]

    weights = jax.jit(lambda x: attention(vit, params, x))(images)
    front = weights.shape[-1] - side**2
    # From the class token, where there is one; otherwise from all patches on average.
    rows = slice(0, 1) if vit.class_token else slice(front, None)
    of = "the class token" if vit.class_token else "the patches"
    heads = np.asarray(weights[-1][:, :, rows, front:].mean(2)).reshape(len(seen), -1, side, side)
    through = np.asarray(rollout(weights)[:, rows, front:].mean(1)).reshape(len(seen), side, side)
    sheet = [
        [picture, _large(drawings.stretched(own)), *(_large(drawings.stretched(head)) for head in all_heads)]
        for picture, own, all_heads in zip(seen, through, heads)
    ]
    told = (
        f"each row: a picture, what reaches {of} through all blocks (rollout), then what {of} attends to in each head of the "
        "last block; brighter is more"
    )
    return [*found, Picture("Attention", told, grid.image_grid(sheet))]


def _of_method(loaded: Loaded, examples: dict, rows: np.ndarray) -> list[Picture]:
    """What the method itself predicts, see ``Method.shows``."""
    run, state = loaded.run, loaded.state
    if not run.method.shows:
        return []
    batch = {name: examples[name] for name in run.method.fields} | {"index": rows.astype(np.int32)}
    batch |= {"size": examples["size"]} if "size" in examples else {}

    @jax.jit
    def predict(batch):
        made, _ = make_views(run.method, run.key, 0, batch)
        return {
            title: show.apply(state.params, state.teacher, state.extra, made)
            for title, show in run.method.shows.items()
        }

    found = []
    for title, columns in predict(batch).items():
        sheet = [[_shown(loaded, column[i]) for column in columns] for i in range(len(rows))]
        found.append(Picture(title, f"each row: {run.method.shows[title].caption}", grid.image_grid(sheet)))
    return found


def _of_flow(loaded: Loaded, clips: dict) -> Picture:
    """What a method says of how things move beside how they do."""
    readout, weights = loaded.run.method.readouts["flow"], methods.weights(loaded.state)
    tokens = jax.jit(lambda batch: readout.apply(*weights, jax.vmap(readout.prepare)(batch)).tokens)
    middle = (clips["flow"].shape[1] - 1) // 2
    truth = clips["flow"][:, middle]
    flow = np.asarray(tokens({"video": clips["video"]}), np.float32).reshape(truth.shape)
    longest = max(float(np.linalg.norm(part, axis=-1).max()) for part in (flow, truth))
    drawn = [np.asarray(views.flow_to_rgb(jnp.asarray(part), longest=longest)) for part in (flow, truth)]
    frames = clips["video"][:, [middle, middle + 1]].astype(np.float32) / 255
    sheet = [[_large(picture) for picture in (*two, own, true)] for two, own, true in zip(frames, *drawn)]
    error, still = (np.linalg.norm(part, axis=-1).mean() for part in (flow - truth, truth))
    told = (
        "each row: two frames in the middle of a clip, the flow that is predicted between them and the true one, in the same "
        f"colours: grey is rest, hues are directions, the strongest is {longest:.2g} pixels. Here the mean endpoint error is "
        f"{error:.2g} pixels; of no flow at all it is {still:.2g}"
    )
    return Picture("Predicted and true flow", told, grid.image_grid(sheet))


def _pixels(loaded: Loaded, images) -> np.ndarray:
    """Normalised pictures as they were, in [0, 1]."""
    statistics = drawings.statistics(loaded.run.config, loaded.run.card.spec, loaded.run.card.about)
    pixels = np.asarray(images, np.float32) * statistics["std"] + statistics["mean"]
    return np.stack([_large(picture) for picture in pixels.clip(0, 1)])


def _shown(loaded: Loaded, value) -> np.ndarray:
    """A picture of the method, frames of a clip side by side, or a map of patches."""
    value = np.asarray(value, np.float32)
    if value.ndim == 2:
        return _large(drawings.stretched(value))
    frames = drawings.some(value) if value.ndim == 4 else [value]
    return np.concatenate(list(_pixels(loaded, frames)), 1)


def _principal(tokens: np.ndarray) -> np.ndarray:
    """(B, N, D) -> (B, N, 3) in [0, 1]: the first three principal components over all patches of all pictures."""
    flat = tokens.reshape(-1, tokens.shape[-1])
    flat = flat - flat.mean(0)
    found = flat @ np.linalg.svd(flat, full_matrices=False)[2][:3].T
    low, high = np.percentile(found, (2, 98), axis=0)
    return ((found - low) / np.maximum(high - low, 1e-12)).clip(0, 1).reshape(*tokens.shape[:2], 3)


def _large(picture: np.ndarray) -> np.ndarray:
    """Every pixel repeated, so that a side has about ``SIDE``."""
    times = max(1, round(SIDE / picture.shape[0]))
    return picture.repeat(times, 0).repeat(times, 1)
