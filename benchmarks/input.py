"""The input pipeline alone: pictures a second of each feed and kind of file, beside torchvision's DataLoader.

python benchmarks/input.py [--python venv/bin/python] [--pictures 512] [--batches 8]

Makes JPEG pictures of 400 x 300 and reads them as a folder, a list of files and a tar archive. Each
is read by ``grain`` in threads and in two processes, and by ``resident``; once as the feed hands it out, and once with SimCLR's
two views of 224 pixels, made on the device as in a step. With ``--python``, an interpreter that has torch and torchvision, a
DataLoader makes the same two views of the same folder in two processes. Prints Markdown.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import time

import jax
import numpy as np
from PIL import Image

from jssl import data, sharding, views

SIZE, BATCH = 224, 64

PEER = """
import json, sys, time, torch, torchvision.transforms as T
from torchvision.datasets import ImageFolder
folder, batches, size, batch = sys.argv[1], *map(int, sys.argv[2:])
jitter = T.RandomApply([T.ColorJitter(0.8, 0.8, 0.8, 0.2)], 0.8)
blur = T.RandomApply([T.GaussianBlur(size // 10 // 2 * 2 + 1, (0.1, 2.0))], 0.5)
one = T.Compose([T.RandomResizedCrop(size), T.RandomHorizontalFlip(), jitter, T.RandomGrayscale(0.2), blur, T.ToTensor()])
found = ImageFolder(folder, lambda picture: (one(picture), one(picture)))
loader = torch.utils.data.DataLoader(found, batch, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)
def forever():
    while True:
        yield from loader
turns = forever()
next(turns), next(turns)
began = time.perf_counter()
for _ in range(batches):
    next(turns)
print(json.dumps(batches * batch / (time.perf_counter() - began)))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", help="an interpreter that has torch and torchvision")
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--batches", type=int, default=8, help="that are timed")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        root = pathlib.Path(place)
        make(root, args.pictures)
        kinds = {"folder": f"folder:{root}/photos", "files": f"files:{root}/list.txt", "tar": f"tar:{root}/photos.tar"}
        for kind, source in kinds.items():
            for feed, options in (("resident", {}), ("grain", {}), ("grain", {"num_workers": 2})):
                told = f"{feed}, 2 processes" if options else feed
                rows.append((kind, told, *rates(source, feed, options, args.batches)))
                print(*rows[-1], file=sys.stderr, flush=True)
        if args.python:
            command = [args.python, "-c", PEER, f"{root}/photos", str(args.batches), str(SIZE), str(BATCH)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            rows.append(("folder", "torchvision DataLoader, 2 processes", None, json.loads(done.stdout)))
    print(table(rows))
    return 0


def make(root: pathlib.Path, count: int) -> None:
    """JPEG pictures in two classes, a list of them, and an archive."""
    rng = np.random.default_rng(0)
    names = []
    for number in range(count):
        file = root / "photos" / "ab"[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
        coarse.resize((400, 300), Image.Resampling.BICUBIC).save(file, quality=90)
        names.append(file)
    (root / "list.txt").write_text("\n".join(map(str, names)))
    with tarfile.open(root / "photos.tar", "w") as archive:
        archive.add(root / "photos", "photos")


def rates(source: str, feed: str, options: dict, batches: int) -> tuple[float, float]:
    """Pictures a second as the feed hands them out, and with two views of each."""
    mesh = sharding.make_mesh()
    made = data.make_feed(feed, data.open_source(source, "train"), mesh, seed=0, global_batch=BATCH, **options)
    view = views.simclr(SIZE)

    @jax.jit
    def both(key, batch):
        keys = jax.random.split(key, (2, BATCH))
        return jax.vmap(lambda k: jax.vmap(view)(k, batch["image"], batch["size"]))(keys)

    found = []
    for work in (lambda batch: batch, lambda batch: both(jax.random.key(0), batch)):
        with contextlib.closing(made.iterate(0)) as turns:
            for _ in range(2):
                jax.block_until_ready(work(next(turns)))
            began = time.perf_counter()
            for _ in range(batches):
                jax.block_until_ready(work(next(turns)))
            found.append(batches * BATCH / (time.perf_counter() - began))
    return found[0], found[1]


def table(rows: list[tuple]) -> str:
    """Markdown.

    >>> print(table([("tar", "grain", 300.0, 100.0), ("folder", "DataLoader", None, 50.0)]).splitlines()[-1])
    | folder | DataLoader | | 50 |
    """
    lines = ["| files | feed | pictures a second | with two views of each |", "| --- | --- | --- | --- |"]
    for kind, feed, alone, viewed in rows:
        lines.append(f"| {kind} | {feed} |{'' if alone is None else f' {alone:.0f}'} | {viewed:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
