"""Bytes that a device sends in a step, per method, as the number of devices grows and each keeps as many examples.

python benchmarks/wire.py [--only simclr] [--devices 8,256]

Of the first variant of each recipe, replicated, with 8 examples a device: the collectives that its step asks for, in float32,
before a compiler merges them. Writes results/wire.json and results/wire.md; what was counted before is kept.
"""

import argparse
import json
import pathlib
import sys

from jssl import config_file
from jssl.config import load_config
from jssl.plan import compiled, find, foresee, hlo, wire

RESULTS = pathlib.Path(__file__).parent / "results"
EACH = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="one recipe")
    parser.add_argument("--devices", default="8,256")
    args = parser.parse_args()
    counts = [int(n) for n in args.devices.split(",")]
    find(f"cpu:{max(counts)}")  # once JAX has started there are no more
    file = RESULTS / "wire.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    names = [args.only] if args.only else [name for name in config_file.recipes() if name != "quickstart"]
    for devices in counts:
        for name in names:
            row = kept.setdefault(name, {})
            if str(devices) not in row or args.only:
                row[str(devices)] = sent(name, devices)
                print(name, devices, row[str(devices)], flush=True)
                file.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
                file.with_suffix(".md").write_text(table(kept))
    return 0


def sent(name: str, devices: int) -> dict[str, int]:
    """Kind of collective -> bytes that a device sends for it in a step."""
    config = load_config(name, [f"data.batch_size={EACH * devices}", "steps=100000"])
    if config.data.source == "synthetic":
        config.data.source = f"synthetic:num_examples={EACH * devices * 2}"
    planned = compiled.prospect(config, foresee(config), find(f"cpu:{devices}"))
    program = hlo.parse(compiled.lower_step(planned).compiler_ir("hlo").as_hlo_text())
    return {kind: traffic.wire for kind, traffic in wire.traffic(program, devices).items()}


def table(kept: dict[str, dict[str, dict[str, int]]]) -> str:
    """Markdown: all bytes for each number of devices, and at the most devices by kind.

    >>> print(table({"mae": {"8": {"all-reduce": 2**20}, "64": {"all-reduce": 2**21}}}).splitlines()[-1])
    | mae | 1.00 | 2.00 | all-reduce 2.00 |
    """
    counts = sorted({int(n) for row in kept.values() for n in row})
    lines = [
        "# Bytes on the wire",
        "",
        f"Made by `python benchmarks/wire.py`: MiB that a device sends in a step, with {EACH} examples a device, for the first",
        "variant of each recipe. Gradients are summed once, whatever the batch; what grows with the devices are the losses that",
        "compare all examples of the batch.",
        "",
        f"| method | {' | '.join(f'{n} devices' for n in counts)} | of that, at {counts[-1]} |",
        f"| --- |{' --- |' * (len(counts) + 1)}",
    ]
    for name, row in sorted(kept.items()):
        cells = [f"{sum(row[str(n)].values()) / 2**20:.2f}" if str(n) in row else "" for n in counts]
        kinds = ", ".join(f"{kind} {size / 2**20:.2f}" for kind, size in row.get(str(counts[-1]), {}).items())
        lines.append(f"| {name} | {' | '.join(cells)} | {kinds} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
