"""Exact k-NN over a bank that is larger than what one would hold: seconds and memory, and that nothing is lost.

python benchmarks/knn.py --rows 1000000 --width 768 --queries 2048 --out benchmarks/results/knn.md

The bank is a .npy file, as ``jssl embed --out features.npy`` writes it, and is mapped into memory; its pages are the kernel's
to drop, so what counts is the memory that the process itself holds.
"""

import argparse
import os
import pathlib
import shlex
import sys
import tempfile
import threading
import time

import jax
import numpy as np

from jssl.evaluation import knn

CLASSES, STEP = 1000, 65536


def own_memory() -> int:
    """Bytes of this process that are no file's pages."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status tells no RssAnon; this takes Linux")


class Peak:
    """The most memory that the process held inside the block."""

    def __enter__(self):
        self.start = self.value = own_memory()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._done.wait(0.02):
            self.value = max(self.value, own_memory())

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


def make_bank(path: pathlib.Path, rows: int, width: int) -> np.ndarray:
    """Random features in a file, mapped for reading."""
    bank = np.lib.format.open_memmap(path, "w+", np.float32, (rows, width))
    rng = np.random.default_rng(0)
    for start in range(0, rows, STEP):
        part = bank[start : start + STEP]
        rng.standard_normal(part.shape, np.float32, out=part)
    bank.flush()
    del bank
    return np.load(path, mmap_mode="r")


def compared(bank: np.ndarray, queries: np.ndarray, k: int) -> tuple[float, float]:
    """Beside float64 products with all of the bank, sorted: the share of the k places that hold the same row, and by how much
    the similarities differ where they do not, at most."""
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    asked = unit(queries.astype(np.float64))
    parts = [unit(bank[start : start + STEP].astype(np.float64)) for start in range(0, len(bank), STEP)]
    similarities = np.concatenate([asked @ part.T for part in parts], 1)
    expected = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
    found = knn.nearest(bank, queries, k=k)
    gaps = np.take_along_axis(similarities, expected, 1) - np.take_along_axis(similarities, found, 1)
    return float(np.mean(found == expected)), float(np.abs(gaps).max())


def main() -> None:
    """Measures, checks, and writes a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--queries", type=int, default=2048)
    parser.add_argument("--k", type=int, nargs="+", default=[5, 20, 200])
    parser.add_argument("--subset", type=int, default=100_000, help="rows of the dense comparison")
    parser.add_argument("--folder", help="for the file of the bank; a temporary one by default")
    parser.add_argument("--out", help="a Markdown file")
    args = parser.parse_args()
    most = max(args.k)
    rng = np.random.default_rng(1)
    queries = rng.standard_normal((args.queries, args.width), np.float32)
    labels = rng.integers(0, CLASSES, args.rows)

    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        bank = make_bank(pathlib.Path(folder) / "bank.npy", args.rows, args.width)
        same, gap = compared(bank[: args.subset], queries[:64], most)

        with Peak() as peak:
            start = time.perf_counter()
            similarities, classes = knn.neighbours(bank, labels, queries, k=most, num_classes=CLASSES)
            searched = time.perf_counter() - start
            for k in args.k:
                knn.tally(similarities, classes, k=k, num_classes=CLASSES)
            voted = time.perf_counter() - start - searched

    device = jax.devices()[0]
    rows = {
        "bank": f"{args.rows:,} x {args.width} float32, {args.rows * args.width * 4 / 1e9:.2f} GB, memory-mapped",
        "queries": f"{args.queries:,}; block of the bank: {knn.TRAIN_BLOCK:,} rows",
        "neighbours": f"{', '.join(map(str, args.k))}, in one pass over the bank",
        "device": f"{device.device_kind} x {len(jax.devices())}, {len(os.sched_getaffinity(0))} cores",
        "seconds, search": f"{searched:.1f}",
        "seconds, votes for every k": f"{voted:.1f}",
        "queries a second": f"{args.queries / searched:.1f}",
        "memory that the search adds, GB": f"{(peak.value - peak.start) / 1e9:.2f}",
        f"same rows as dense float64, {args.subset:,} x 64 queries, {most} places each": f"{100 * same:.3f} %",
        "similarities there differ by at most": f"{gap:.1e}",
    }
    lines = ["# Exact k-NN over a large bank", "", f"`python {shlex.join(sys.argv)}`", "", "| | |", "| --- | --- |"]
    text = "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows.items())]) + "\n"
    print(text)
    if args.out:
        pathlib.Path(args.out).write_text(text)


if __name__ == "__main__":
    main()
