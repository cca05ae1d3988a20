"""How good is each method for the same training time? Trains all of them on one machine and tabulates their features.

python benchmarks/quality.py --methods all --data 'tar:data/cifar10/*.tar.gz' --budget 300

Every registered method takes its recipe ``configs/<method>_small_cifar10.py``; the number of steps is what the budget
holds, so that each cosine schedule fits it. Each (method, seed) is a process of its own and leaves one JSON in the folder
``--out``. The same command continues where it stopped; delete a JSON to repeat that run, one that failed included.
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

import quality_report

from jssl.methods import REGISTRY

HERE = pathlib.Path(__file__).parent
RECIPE = "{}_small_cifar10.py"


def main(argv: list[str] | None = None) -> int:
    """Runs what is missing and rebuilds the tables. Bad input is one line on stderr and exit code 2."""
    parser = argparse.ArgumentParser(description="Every method at equal training time: k-NN, linear probe, RankMe.")
    parser.add_argument("--methods", default="all", help="all, or names separated by commas")
    parser.add_argument("--data", default="synthetic", help="a source of jssl, e.g. tar:'data/cifar10/*.tar.gz'")
    parser.add_argument("--budget", type=float, help="seconds of training, compilation not counted")
    parser.add_argument("--seeds", default="0", help="separated by commas")
    parser.add_argument("--out", help="<out>.md, <out>.json, <out>/; default benchmarks/results/quality_<data>")
    parser.add_argument("--work", help="checkpoints, metrics and logs; default runs/quality_<data>")
    parser.add_argument("--config-dir", default=HERE.parent / "configs", type=pathlib.Path, help="where recipes are")
    parser.add_argument("--report", action="store_true", help="only rebuild the tables")
    args = parser.parse_args(argv)
    try:
        return benchmark(args)
    except (ValueError, OSError) as error:
        print(f"quality: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def benchmark(args) -> int:
    """See the module. ``args`` are those of ``main``."""
    methods = sorted(REGISTRY) if args.methods == "all" else args.methods.split(",")
    if unknown := [name for name in methods if name not in REGISTRY]:
        raise ValueError(f"no method {unknown[0]!r}; there are {', '.join(sorted(REGISTRY))}")
    name = f"quality_{slug(args.data)}"
    out = pathlib.Path(args.out or HERE / "results" / name)
    work = pathlib.Path(args.work or pathlib.Path("runs") / name)
    recipes = {name: args.config_dir / RECIPE.format(name) for name in methods}
    without = [name for name, recipe in recipes.items() if not recipe.is_file()]
    if not args.report:
        if not args.budget or args.budget < 0:
            raise ValueError("--budget SECONDS is missing: how long each method trains")
        check_same(read_runs(out), args)
        for name in without:
            print(f"{name}: skipped, there is no {recipes[name].name} in {args.config_dir}")
        for seed in map(int, args.seeds.split(",")):
            for name in methods:
                file = out / f"{name}_seed{seed}.json"
                if name in without or file.is_file():
                    continue
                print(f"{name}, seed {seed}: ", end="", flush=True)
                run = run_one(name, recipes[name], seed, args, out, work / f"{name}_seed{seed}")
                write(file, json.dumps(run, indent=1))
                print(f"failed: {run['error']}" if "error" in run else f"k-NN {100 * run['encoder']['knn']:.1f} %")
                report(out, without)
    report(out, without)
    print(f"{out}.md")
    return 0


def run_one(method: str, recipe: pathlib.Path, seed: int, args, out: pathlib.Path, workdir: pathlib.Path) -> dict:
    """Trains and evaluates in a process of its own; what it reports, or its error in one line."""
    shutil.rmtree(workdir, ignore_errors=True)  # of a run that was interrupted: other steps would fit now
    workdir.mkdir(parents=True)
    out.mkdir(parents=True, exist_ok=True)
    outcome = workdir / "outcome.json"
    command = [sys.executable, str(HERE / "quality_run.py"), "--recipe", str(recipe), "--data", args.data]
    command += ["--seed", str(seed), "--budget", str(args.budget), "--workdir", str(workdir), "--cache", str(out)]
    with open(workdir / "log.txt", "w") as log:
        code = subprocess.run([*command, "--outcome", str(outcome)], stdout=log, stderr=log).returncode
    identity = {
        "method": method,
        "seed": seed,
        "labels": "labels" in REGISTRY[method].needs,
        "data": without_paths(args.data),
        "budget_seconds": args.budget,
        "machine": machine(),
        "jax": importlib.metadata.version("jax"),
        "date": datetime.date.today().isoformat(),
    }
    if outcome.is_file():
        return identity | json.loads(without_paths(outcome.read_text()))
    return identity | {"error": f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"}


def report(out: pathlib.Path, without: list[str]) -> None:
    """Rebuilds ``<out>.md`` and ``<out>.json`` from the runs in the folder."""
    runs = read_runs(out)
    if not runs:
        raise ValueError(f"no finished run in {out}")
    done = sorted({run["method"] for run in runs})
    missing = [name for name in without if name not in done]
    methods = "all" if {*done, *missing} == set(REGISTRY) else ",".join(done)
    seeds = ",".join(map(str, sorted({run["seed"] for run in runs})))
    options = f"--data '{runs[0]['data']}' --budget {runs[0]['budget_seconds']:g} --seeds {seeds}"
    result = {
        "command": f"python benchmarks/quality.py --methods {methods} {options}",
        "without_recipe": missing,
        "pixels": quality_report.pixels(runs),
        "rows": quality_report.rows(runs),
        "runs": runs,
    }
    write(out.with_name(out.name + ".json"), json.dumps(result, indent=1))
    write(out.with_name(out.name + ".md"), quality_report.markdown(result))


def read_runs(out: pathlib.Path) -> list[dict]:
    """The finished runs, failed ones included."""
    return [json.loads(file.read_text()) for file in sorted(out.glob("*_seed*.json"))]


def check_same(runs: list[dict], args) -> None:
    """One table compares equal budgets on the same data."""
    for run in runs:
        for key, now in (("data", without_paths(args.data)), ("budget_seconds", args.budget)):
            if run[key] != now:
                raise ValueError(f"the runs there have {key}={run[key]}, not {now}; use another --out")


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
