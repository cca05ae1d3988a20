"""Plans of large recipes on TPU slices, each by ``jssl plan`` in a process of its own, kept as JSON and shown as tables.

python benchmarks/plans.py [--only mae] [--table]

Needs libtpu (the extra ``tpu``), which compiles for slices that are not here: minutes for each row. What was planned before is
kept; ``--table`` only writes the table anew.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

RESULTS = pathlib.Path(__file__).parent / "results"
FOLDER, TABLE = RESULTS / "plans", RESULTS / "plans.md"

SLICES = ("v5e:4x4", "v5e:16x16", "v5p:2x2x2")
REMAT = "--config.method.encoder.remat="
ROWS = [(recipe, [], name) for recipe in ("dinov2:vit_large", "mae:vit_large") for name in SLICES]
ROWS += [  # those that do not fit as they are, with the setting that the refusal names
    ("dinov2:vit_large", [f"{REMAT}full"], "v5p:2x2x2"),
    ("mae:vit_large", ["--config.fsdp=16", f"{REMAT}dots"], "v5e:4x4"),
    ("dinov2:vit_large", ["--config.fsdp=16", f"{REMAT}full", "--config.data.batch_size=1024"], "v5e:4x4"),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="rows whose recipe or slice contains this")
    parser.add_argument("--table", action="store_true", help="plan nothing")
    args = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for recipe, options, name in ROWS:
        words = [recipe, name, *(option.rpartition(".")[2] for option in options)]
        file = FOLDER / (re.sub(r"[:=]", "-", "_".join(words)) + ".json")
        wanted = args.only in f"{recipe} {name}"
        if wanted and not args.table and not file.exists():
            command = ["plan", "--config", recipe, "--topology", name, *options]
            done = subprocess.run(
                [sys.executable, "-m", "jssl.cli", *command, "--json"], capture_output=True, text=True
            )
            found = (
                json.loads(done.stdout) if done.returncode == 0 else {"refused": done.stderr.strip().splitlines()[-1]}
            )
            file.write_text(json.dumps({"command": f"jssl {' '.join(command)}", **found}, indent=1) + "\n")
            print(f"{file.name}: {found.get('refused', 'fits')}", flush=True)
    TABLE.write_text(table([json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))]))
    return 0


def table(plans: list[dict]) -> str:
    """Markdown: those that fit, and what was said of those that do not."""
    head = "| recipe | slice | batch, fsdp | needs of | parameters, optimiser, teacher | activations | model FLOPs, executed |"
    lines = [
        "# Plans",
        "",
        "Made by `python benchmarks/plans.py`: each row is `jssl plan` of a recipe, with libtpu 0.0.50 and jax 0.12. Where the",
        "memory is left out, the row was planned before memory traffic was counted as it is now: the bound is looser there.",
        "",
        f"{head} sent a device | at the least | MFU at most | chip-hours at 40 % MFU, or that |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for plan in plans:
        if "refused" not in plan:
            lines.append(f"| {' | '.join(row(plan))} |")
    for plan in plans:
        if "refused" in plan:
            lines += ["", f"`{plan['command']}` ends with", "", "```text", plan["refused"], "```"]
    return "\n".join(lines) + "\n"


def row(plan: dict) -> list[str]:
    """The cells of a plan that fits."""
    gib = {name: value / 2**30 for name, value in plan["parts"].items()}
    state = " + ".join(f"{gib[name]:.2f}" for name in ("parameters", "optimiser", "teacher"))
    least, cost = plan["roofline"], plan["cost"]
    _, _, _, recipe, _, _, *options = plan["command"].split()
    return [
        f"`{recipe}`" + "".join(f", {option.rpartition('.')[2]}" for option in options),
        plan["topology"],
        f"{plan['setting']['batch_size']}, {plan['setting']['fsdp']}",
        f"{plan['needed'] / 2**30:.2f} of {plan['memory'] / 2**30:.2f} GiB",
        f"{state} GiB",
        f"{gib['activations']:.2f} GiB",
        f"{plan['model']:.3g}, {plan['executed'] / plan['model']:.2f} x",
        f"{plan['wire'] / 2**20:.0f} MiB",
        f"{1e3 * least['step']:.0f} ms, {least['bound']}",
        f"{least['mfu']:.0%}",
        f"{cost['chip_hours']:.0f} ({cost['days']:.1f} days at {cost['mfu']:.0%})",
    ]


if __name__ == "__main__":
    sys.exit(main())
