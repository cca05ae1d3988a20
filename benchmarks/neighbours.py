"""The picture in README: nearest training pictures of some test pictures, before and after training.

jssl pretrain --config configs/quickstart.py --workdir runs/quickstart
python benchmarks/neighbours.py --workdir runs/quickstart --out docs/images/neighbours.png

A blue frame is a picture of the query's class, an orange one a picture of another. No label was seen in training.
"""

import argparse

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jssl.data import Source, open_source, stack
from jssl.evaluation.knn import nearest
from jssl.report.grid import image_grid
from jssl.report.run import load_run

SAME, OTHER, PAPER, INK = (38, 110, 190), (236, 130, 40), (255, 255, 255), (40, 40, 40)
SIDE, FRAME, HEADER = 64, 4, 30


def draw(found: dict[str, np.ndarray], queries: Source, rows: np.ndarray, bank: Source) -> np.ndarray:
    """The picture as (H, W, 3) uint8.

    Args:
      found: title -> (Q, K) indices of training examples, nearest first.
      queries: the test set.
      rows: (Q,) indices of the queries.
      bank: the training set.
    """
    asked = stack(queries, rows)
    blocks = [("query", [[framed(image, PAPER)] for image in asked["image"]])]
    for title, indices in found.items():
        cells = []
        for label, row in zip(asked["label"], indices):
            near = stack(bank, row)
            colours = [SAME if other == label else OTHER for other in near["label"]]
            cells.append([framed(image, colour) for image, colour in zip(near["image"], colours)])
        blocks.append((title, cells))
    return np.concatenate([titled(title, image_grid(cells)) for title, cells in blocks], 1)


def framed(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """A picture at the size of a cell, in a frame."""
    large = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (SIDE + 2 * FRAME,) * 2, colour)
    canvas.paste(large, (FRAME, FRAME))
    return np.asarray(canvas)


def titled(title: str, grid: np.ndarray) -> np.ndarray:
    """A grid below its title, with some space on the right."""
    canvas = Image.new("RGB", (grid.shape[1] + 12, grid.shape[0] + HEADER), PAPER)
    canvas.paste(Image.fromarray(grid), (0, HEADER))
    ImageDraw.Draw(canvas).text((6, 6), title, INK, ImageFont.load_default(17))
    return np.asarray(canvas)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workdir", required=True, help="a run of jssl pretrain on pictures with labels")
    parser.add_argument("--out", required=True, help="a .png file")
    parser.add_argument("--rows", type=int, default=5, help="queries, each of a class of its own")
    parser.add_argument("--columns", type=int, default=4, help="neighbours")
    args = parser.parse_args()
    loaded = load_run(args.workdir)
    sources = {split: open_source(loaded.run.config.data.source, split) for split in ("train", "test")}
    rows = np.unique(stack(sources["test"])["label"], return_index=True)[1][: args.rows]
    found = {}
    for title, trained in (("nearest, before training", False), ("nearest, after training", True)):
        encoder = loaded.encoder(sources, trained=trained)
        bank, queries = encoder.features("train"), encoder.features("test")[rows]
        found[title] = nearest(bank, queries, k=args.columns)
    picture = Image.fromarray(draw(found, sources["test"], rows, sources["train"]))
    picture.quantize(256).save(args.out, optimize=True)  # a third of the size


if __name__ == "__main__":
    main()
