"""jssl's step beside the PyTorch libraries that a user would pick instead, on the same workloads.

python benchmarks/compare.py --peers peers.py --python venv/bin/python [--only mae] [--rounds 3] [--dtype fp32] [--compile]

``--peers`` is a script that is called as ``peers.py WORKLOAD --dtype fp32 --steps N --batch B --device cpu`` and prints a JSON line
with ``ms``, the median of its steps after two untimed ones; ``--python`` is an interpreter that has its libraries. The two
sides run in turn, each in a process of its own and never two at once; the median of the ratios of the rounds is quoted. Writes
results/compare.md.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

WORKLOADS = {
    "simclr": "lightly NT-Xent, torchvision ResNet-18 with the CIFAR stem, 2 views of 32 x 32, SGD",
    "mocov2": "lightly NT-Xent with a queue of 65,536 x 128, the same backbone, key encoder by EMA, SGD",
    "dino": "timm ViT-Ti/16, lightly head (2048-256-65536) and loss, 2 x 224 + 6 x 96 crops, EMA, AdamW",
    "mae": "transformers ViT-B/16, 224, 75 % masked, normalised targets, AdamW",
    "ijepa": "timm ViT-B/16, 100 context tokens, 4 x 30 targets, predictor of 6 blocks of 384, EMA, AdamW",
}
BATCH = {"simclr": 128, "mocov2": 128, "dino": 8, "mae": 16, "ijepa": 8}
HERE = pathlib.Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", required=True, help="the script of the other side")
    parser.add_argument("--python", required=True, help="the interpreter that runs it")
    parser.add_argument("--only", choices=WORKLOADS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="that are timed in a turn")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--scale", type=int, default=1, help="times the batch that two cores take")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--compile", action="store_true", help="the other side compiles, too")
    args = parser.parse_args()
    results = HERE / "results" / f"compare{'' if args.device == 'cpu' else '_' + args.device}.json"
    kept = json.loads(results.read_text()) if results.exists() else {}
    for workload in [args.only] if args.only else WORKLOADS:
        common = [workload, "--dtype", args.dtype, "--steps", str(args.steps)]
        common += ["--batch", str(BATCH[workload] * args.scale)]
        theirs = [args.python, args.peers, *common, "--device", args.device, *(["--compile"] if args.compile else [])]
        ours = [sys.executable, str(HERE / "workloads.py"), *common]
        rounds = []
        for _ in range(args.rounds):
            rounds.append([timed(theirs), timed(ours)])
            print(workload, *(turn["ms"] for turn in rounds[-1]), flush=True)
        name = f"{workload} {args.dtype} {'compiled' if args.compile else 'eager'}"
        kept[name] = {"batch": BATCH[workload] * args.scale, "machine": machine(), "rounds": rounds}
        results.write_text(json.dumps(kept, indent=1) + "\n")
        results.with_suffix(".md").write_text(table(kept))
    return 0


def timed(command: list[str]) -> dict:
    """What a process prints last."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"compare: {' '.join(command)} failed: {(done.stderr.strip() or 'no word').splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def machine() -> str:
    """The machine, and how busy it was beside this."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {os.getloadavg()[0]:.1f} processes wanted them"


def table(kept: dict) -> str:
    """Markdown.

    >>> rounds = [[{"ms": 200.0}, {"ms": 100.0}], [{"ms": 300.0}, {"ms": 100.0}], [{"ms": 220.0}, {"ms": 100.0}]]
    >>> print(table({"mae fp32 eager": {"batch": 16, "machine": "here", "rounds": rounds}}).splitlines()[-1])
    | mae fp32 eager | transformers ViT-B/16, 224, 75 % masked, normalised targets, AdamW | 16 | 3 | 220 | 100 | **2.20** | here |
    """
    lines = [
        "# Beside PyTorch",
        "",
        "Made by `benchmarks/compare.py`: whole steps (forward, backward, optimiser, EMA) on views that are there, the sides in",
        "turn in processes of their own, two untimed steps before each turn. The ratio is theirs over ours, so above 1 jssl is",
        "faster; the median over the rounds is quoted, since machines drift.",
        "",
        "| workload | the other side | batch | rounds | theirs, ms | jssl, ms | ratio | machine |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in kept.items():
        sides = [statistics.median(turn["ms"] for turn in side) for side in zip(*row["rounds"])]
        ratio = statistics.median(theirs["ms"] / ours["ms"] for theirs, ours in row["rounds"])
        cells = [
            name,
            WORKLOADS[name.split()[0]],
            str(row["batch"]),
            str(len(row["rounds"])),
            *(f"{ms:.0f}" for ms in sides),
            f"**{ratio:.2f}**",
        ]
        lines.append(f"| {' | '.join([*cells, row['machine']])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
