"""Does a run survive? Injects faults into tiny runs of the command, and tabulates what came of each.

python benchmarks/faults.py --methods simclr,mae

The recipes are the tiny ones of the test suite. A row is a fault, a column a method; rows that are not asked for stay as they are
where the methods are the same. Where a run goes on after its fault, its
last state is compared with that of an undisturbed run, array by array, by the fingerprints in their checkpoints. Processes
are really killed, files really broken, and disks full by the kernel's own refusal.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

import fault_processes  # noqa: E402, F401
from fault_campaign import Campaign  # noqa: E402
from fault_list import FAULTS  # noqa: E402

from jssl.methods import REGISTRY  # noqa: E402


def attempt(title: str, campaign: Campaign) -> str:
    """What came of a fault, in a few words."""
    try:
        return FAULTS[title](campaign)
    except (AssertionError, subprocess.TimeoutExpired, OSError, ValueError) as error:
        return f"FAILED: {' '.join(str(error).split())}"


def table(outcomes: dict[str, dict[str, str]]) -> str:
    """Markdown: faults x methods."""
    methods = list(next(iter(outcomes.values())))
    lines = [["fault", *methods], ["---"] * (len(methods) + 1)]
    lines += [[title, *row.values()] for title, row in outcomes.items()]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n" for cells in lines)


def kept(file: pathlib.Path, methods: list[str]) -> dict[str, dict[str, str]]:
    """The outcomes that a table of the same methods has already."""
    lines = file.read_text().splitlines() if file.exists() else []
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    if not rows or rows[0][1:] != methods:
        return {}
    return {title: dict(zip(methods, cells)) for title, *cells in rows[2:]}


def main(argv: list[str] | None = None) -> int:
    """Writes the table; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default="simclr,moco,dino,mae,causal_lm", help="names separated by commas")
    parser.add_argument("--faults", default="", help="a part of the titles of those to inject")
    parser.add_argument("--kills", type=int, default=3, help="how often a run is killed at a random moment")
    parser.add_argument("--out", default=HERE / "results" / "faults.md", type=pathlib.Path)
    args = parser.parse_args(argv)
    titles = [title for title in FAULTS if args.faults in title]
    if not titles:
        parser.error(f"no fault has {args.faults!r} in its title; there are: {'; '.join(FAULTS)}")
    if unknown := [name for name in args.methods.split(",") if name not in REGISTRY]:
        parser.error(f"no method {unknown[0]!r}; there are {', '.join(sorted(REGISTRY))}")
    outcomes: dict[str, dict[str, str]] = {title: {} for title in titles}
    for method in args.methods.split(","):
        with tempfile.TemporaryDirectory() as folder:
            campaign = Campaign(method, pathlib.Path(folder) / method, kills=args.kills)
            for title in titles:
                outcomes[title][method] = attempt(title, campaign)
                print(f"{method}: {title}: {outcomes[title][method]}", flush=True)
        done = list(outcomes[titles[0]])  # a campaign that is stopped leaves what it has
        rows = kept(args.out, done) | outcomes
        head = f"# Faults\n\n`python benchmarks/faults.py --methods {','.join(done)}`, in one call or, by `--faults`, several\n\n"
        args.out.write_text(f"{head}{table({title: rows[title] for title in FAULTS if title in rows})}")
    return int(any(cell.startswith("FAILED") for row in outcomes.values() for cell in row.values()))


if __name__ == "__main__":
    sys.exit(main())
