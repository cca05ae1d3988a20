"""Does a run survive? Injects faults into tiny runs of the command, and tabulates what came of each.

python benchmarks/faults.py --methods simclr,mae [--faults SIGKILL]

The recipes are the tiny ones of the test suite. A row is a fault, a column a method. Where a run goes on after its fault, its
last state is compared with that of an undisturbed run, array by array, by the fingerprints in their checkpoints. Processes
are really killed, files really broken, and disks full by the kernel's own refusal. Writes results/faults.json and
results/faults.md after every fault; outcomes that are not asked for again stay as they are.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

import fault_processes  # noqa: E402, F401
from fault_campaign import Campaign  # noqa: E402
from fault_list import FAULTS  # noqa: E402

from jssl.methods import REGISTRY  # noqa: E402

Outcomes = dict[str, dict[str, str]]
"""Method -> fault -> what came of it."""


def attempt(title: str, campaign: Campaign) -> str:
    """What came of a fault, in a few words."""
    try:
        return FAULTS[title](campaign)
    except (AssertionError, subprocess.TimeoutExpired, OSError, ValueError) as error:
        return f"FAILED: {' '.join(str(error).split())}"


def kept(folder: pathlib.Path) -> Outcomes:
    """What came of earlier campaigns."""
    file = folder / "faults.json"
    return json.loads(file.read_text()) if file.exists() else {}


def keep(folder: pathlib.Path, method: str, title: str, outcome: str) -> None:
    """Adds one outcome to both files of a folder."""
    outcomes = kept(folder)
    outcomes.setdefault(method, {})[title] = outcome
    (folder / "faults.json").write_text(json.dumps(outcomes, indent=1) + "\n")
    head = (
        "# Faults\n\nMade by `python benchmarks/faults.py --methods ...`, in several calls, some of them on earlier versions; an "
        "empty cell was not tried.\n\n"
    )
    (folder / "faults.md").write_text(head + table(outcomes))


def table(outcomes: Outcomes) -> str:
    """Markdown: faults x methods."""
    lines = [["fault", *outcomes], ["---"] * (len(outcomes) + 1)]
    for title in FAULTS:
        cells = [of_method.get(title, "") for of_method in outcomes.values()]
        lines += [[title, *cells]] if any(cells) else []
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n" for cells in lines)


def main(argv: list[str] | None = None) -> int:
    """Writes the table; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="simclr,moco,dino,mae,causal_lm", help="names separated by commas")
    parser.add_argument("--faults", default="", help="a regular expression found in the titles of those to inject")
    parser.add_argument("--kills", type=int, default=3, help="how often a run is killed at a random moment")
    parser.add_argument("--out", default=HERE / "results", type=pathlib.Path, help="the folder of both files")
    args = parser.parse_args(argv)
    titles = [title for title in FAULTS if re.search(args.faults, title)]
    if not titles:
        parser.error(f"no fault has {args.faults!r} in its title; there are: {'; '.join(FAULTS)}")
    if unknown := [name for name in args.methods.split(",") if name not in REGISTRY]:
        parser.error(f"no method {unknown[0]!r}; there are {', '.join(sorted(REGISTRY))}")
    failed = False
    for method in args.methods.split(","):
        with tempfile.TemporaryDirectory() as folder:
            campaign = Campaign(method, pathlib.Path(folder) / method, kills=args.kills)
            for title in titles:
                outcome = attempt(title, campaign)
                print(f"{method}: {title}: {outcome}", flush=True)
                keep(args.out, method, title, outcome)
                failed |= outcome.startswith("FAILED")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
