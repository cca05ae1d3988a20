"""How good is each method for the same training time? Trains all of them on one machine and tabulates their features.

python benchmarks/quality.py --methods all --data 'tar:data/cifar10/*.tar.gz' --budget 300

Every method that learns from pictures takes its recipe ``configs/<method>.py:small``; the number of steps is what the
budget holds, and what the recipe gives as a share of the run follows it. Each (method, seed) is a process of its own and
leaves one JSON in the folder ``--out``. The same command continues where it stopped; delete a JSON to repeat that run, one
that failed included. ``--compare OLD.json`` tells whether a method has become worse.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import quality_compare
import quality_report

from jssl.methods import REGISTRY, find

HERE = pathlib.Path(__file__).parent
# What methods of other modalities ask for; their features are not those of pictures.
OTHER = {"captions", "text", "audio", "video"}


def main(argv: list[str] | None = None) -> int:
    """Runs what is missing and rebuilds the tables.

    Returns:
      0; 1 when ``--compare`` finds a method that is worse; 2 for bad input, which is one line on stderr.
    """
    parser = argparse.ArgumentParser(description="Every method at equal training time: k-NN, linear probe, RankMe.")
    parser.add_argument("--methods", default="all", help="all, or names separated by commas")
    parser.add_argument("--data", default="synthetic", help="a source of jssl, e.g. tar:'data/cifar10/*.tar.gz'")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--budget", type=float, help="seconds of training, compilation not counted")
    length.add_argument("--steps-of", metavar="OLD.json", help="as many steps as each method took in another table")
    parser.add_argument("--seeds", default="0", help="separated by commas")
    parser.add_argument("--out", help="<out>.md, <out>.json, <out>/; default benchmarks/results/quality_<data>")
    parser.add_argument("--work", help="checkpoints, metrics and logs; default runs/quality_<data>")
    parser.add_argument("--config-dir", default=HERE.parent / "configs", type=pathlib.Path, help="where recipes are")
    parser.add_argument("--report", action="store_true", help="only rebuild the tables")
    parser.add_argument(
        "--compare", metavar="OLD.json", help="then show each method beside its figures in another table"
    )
    args = parser.parse_args(argv)
    try:
        return benchmark(args)
    except (ValueError, OSError) as error:
        print(f"quality: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def benchmark(args) -> int:
    """See the module. ``args`` are those of ``main``."""
    methods = chosen(args.methods)
    name = f"quality_{slug(args.data)}"
    out = pathlib.Path(args.out or HERE / "results" / name)
    work = pathlib.Path(args.work or pathlib.Path("runs") / name)
    old = quality_compare.read(args.compare) if args.compare else None  # before hours are spent
    if old and pathlib.Path(args.compare).resolve() == table_file(out).resolve():
        raise ValueError(f"--compare {args.compare} is the table of these runs themselves; use another --out")
    same = quality_compare.read(args.steps_of) if args.steps_of else None
    if same:
        args.budget = same["runs"][0]["budget_seconds"]
    recipes = {name: args.config_dir / f"{name}.py" for name in methods}
    without = [name for name, recipe in recipes.items() if not recipe.is_file()]
    if not args.report:
        if not args.budget or args.budget < 0:
            raise ValueError("--budget SECONDS is missing: how long each method trains (or --steps-of OLD.json)")
        check_same(read_runs(out), args)
        for name in without:
            print(f"{name}: skipped, there is no {recipes[name].name} in {args.config_dir}")
        for seed in map(int, args.seeds.split(",")):
            for name in methods:
                file = out / f"{name}_seed{seed}.json"
                if name in without or file.is_file():
                    continue
                print(f"{name}, seed {seed}: ", end="", flush=True)
                steps = quality_compare.steps(same, name, seed) if same else None
                run = run_one(name, recipes[name], seed, steps, args, out, work / f"{name}_seed{seed}")
                write(file, json.dumps(run, indent=1))
                print(f"failed: {run['error']}" if "error" in run else f"k-NN {100 * run['encoder']['knn']:.1f} %")
                report(out, without)
    new = report(out, without)
    print(f"{out}.md")
    if not old:
        return 0
    if setting(old) != setting(new):
        raise ValueError(f"{args.compare} holds {setting(old)}; {out} holds {setting(new)}; compare equal ones")
    lines, worse = quality_compare.compare(old, new, methods)
    print("\n".join(lines))
    return 1 if worse else 0


def chosen(text: str) -> list[str]:
    """Names of methods that learn from pictures: all of them, or those between commas.

    >>> chosen("simclr,mae"), "causal_lm" in chosen("all")
    (['simclr', 'mae'], False)
    """
    if text == "all":
        return sorted(name for name, entry in REGISTRY.items() if not OTHER.intersection(entry.asks))
    for name in text.split(","):
        if asked := OTHER.intersection(find(name).asks):
            raise ValueError(f"{name} asks for {', '.join(asked)}; the table is of methods of pictures, leave it out")
    return text.split(",")


def run_one(
    method: str, recipe: pathlib.Path, seed: int, steps: int | None, args, out: pathlib.Path, workdir: pathlib.Path
) -> dict:
    """Trains and evaluates in a process of its own; what it reports, or its error in one line."""
    shutil.rmtree(workdir, ignore_errors=True)  # of a run that was interrupted: other steps would fit now
    workdir.mkdir(parents=True)
    out.mkdir(parents=True, exist_ok=True)
    outcome = workdir / "outcome.json"
    command = [sys.executable, str(HERE / "quality_run.py"), "--recipe", str(recipe), "--data", args.data]
    command += ["--seed", str(seed), "--workdir", str(workdir), "--cache", str(out)]
    command += ["--steps", str(steps)] if steps else ["--budget", str(args.budget)]
    with open(workdir / "log.txt", "w") as log:
        code = subprocess.run([*command, "--outcome", str(outcome)], stdout=log, stderr=log).returncode
    identity = {
        "method": method,
        "seed": seed,
        "labels": "labels" in REGISTRY[method].asks,
        "data": without_paths(args.data),
        "budget_seconds": args.budget,
        "steps_of": pathlib.Path(args.steps_of).name if args.steps_of else None,
        "machine": machine(),
        "jax": importlib.metadata.version("jax"),
        "date": datetime.date.today().isoformat(),
    }
    if outcome.is_file():
        return identity | json.loads(without_paths(outcome.read_text()))
    return identity | {"error": f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"}


def report(out: pathlib.Path, without: list[str]) -> dict:
    """Rebuilds ``<out>.md`` and ``<out>.json`` from the runs in the folder; what the latter holds."""
    runs = read_runs(out)
    if not runs:
        raise ValueError(f"no finished run in {out}")
    done = sorted({run["method"] for run in runs})
    missing = [name for name in without if name not in done]
    methods = ",".join(done)  # by name: "all" would be others once there is a new method
    seeds = ",".join(map(str, sorted({run["seed"] for run in runs})))
    steps_of = runs[0].get("steps_of")
    length = f"--steps-of {steps_of}" if steps_of else f"--budget {runs[0]['budget_seconds']:g}"
    options = f"--data '{runs[0]['data']}' {length} --seeds {seeds}"
    result = {
        "command": f"python benchmarks/quality.py --methods {methods} {options}",
        "without_recipe": missing,
        "pixels": quality_report.pixels(runs),
        "rows": quality_report.rows(runs),
        "runs": runs,
    }
    write(table_file(out), json.dumps(result, indent=1))
    write(out.with_name(out.name + ".md"), quality_report.markdown(result))
    return result


def table_file(out: pathlib.Path) -> pathlib.Path:
    """Where the table of the runs in a folder is, for programs."""
    return out.with_name(out.name + ".json")


def read_runs(out: pathlib.Path) -> list[dict]:
    """The finished runs, failed ones included."""
    return [json.loads(file.read_text()) for file in sorted(out.glob("*_seed*.json"))]


def check_same(runs: list[dict], args) -> None:
    """One table compares equal budgets on the same data."""
    for run in runs:
        steps_of = pathlib.Path(args.steps_of).name if args.steps_of else None
        settings = ("data", without_paths(args.data)), ("budget_seconds", args.budget), ("steps_of", steps_of)
        for key, now in settings:
            if run.get(key) != now:
                raise ValueError(f"the runs there have {key}={run.get(key)}, not {now}; use another --out")


def setting(table: dict) -> str:
    """What two tables must share to be compared."""
    run = next((run for run in table["runs"] if "error" not in run), None)
    if not run:
        return "failed runs alone"
    return f"runs on {slug(run['data'])}, {run['num_train']} training images, {run['budget_seconds']:g} s"


def slug(data: str) -> str:
    """A source as a part of a file name: its last folder, or its kind.

    >>> slug("tar:data/cifar10/*.tar.gz"), slug("folder:flowers"), slug("synthetic:num_examples=200")
    ('cifar10', 'flowers', 'synthetic')
    """
    kind, _, rest = data.partition(":")
    parts = [part for part in rest.split("/") if part and not re.search(r"[*?=]|\.tar|^\.+$", part)]
    return re.sub(r"[^\w-]+", "_", parts[-1] if parts else kind)


def without_paths(text: str) -> str:
    """Folders outside the current one are nobody's business in a table that is published.

    >>> without_paths("no file /home/me/data/cifar10/*.tar.gz of tar:../data/cifar10/*.tar.gz or data/x.png")
    'no file .../cifar10/*.tar.gz of tar:.../cifar10/*.tar.gz or data/x.png'
    """
    return re.sub(r"(?<![\w.*~/])(?:~|\.\.)?/(?:[\w.~ -]+/)*(?=[\w.~-]+/)", ".../", text)


def machine() -> str:
    """Cores and memory, no names."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{cores} cores, {memory / 2**30:.0f} GiB memory"


def write(file: pathlib.Path, text: str) -> None:
    """All of it or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(file.name + ".tmp")
    fresh.write_text(text)
    os.replace(fresh, file)


def terminated(*_):
    """SIGTERM ends this process the way ctrl-C does: ``subprocess.run`` ends its child on the way out."""
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminated)
    sys.exit(main())
