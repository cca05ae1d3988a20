"""How good is each method for the same training time? Trains all of them on one machine and tabulates their features.

python benchmarks/quality.py --methods all --data 'tar:data/cifar10/*.tar.gz' --budget 300

Every method that learns from what the data hold, pictures, sounds or clips, takes its recipe ``configs/<method>.py:small``;
the number of steps is what the budget holds, and what the recipe gives as a share of the run follows it. Each (method, seed)
is a process of its own and leaves one JSON in the folder ``--out``. The same command continues where it stopped; delete a
JSON to repeat that run, one that failed included. ``--compare OLD.json`` tells whether a method has become worse.

``--cpu-budget`` is for a machine that others use, too: its seconds are the processors', summed over cores, so that
waiting is not counted.
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
# What methods of pictures ask for; others ask for what their examples hold beside.
PICTURES = {"labels", "patches"}
HOLDS = {"audio": "audio", "synthetic_sound": "audio", "video": "video", "synthetic_clips": "video"}
"""What sources of other modalities hold, by kind."""
BUDGETS = ("budget_seconds", "cpu_budget_seconds")


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
    length.add_argument("--cpu-budget", type=float, help="likewise, in seconds of processor time")
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
    methods = chosen(args.methods, args.data)
    name = f"quality_{slug(args.data)}"
    out = pathlib.Path(args.out or HERE / "results" / name)
    work = pathlib.Path(args.work or pathlib.Path("runs") / name)
    old = quality_compare.read(args.compare) if args.compare else None  # before hours are spent
    if old and pathlib.Path(args.compare).resolve() == table_file(out).resolve():
        raise ValueError(f"--compare {args.compare} is the table of these runs themselves; use another --out")
    same = quality_compare.read(args.steps_of) if args.steps_of else None
    if same:
        args.budget, args.cpu_budget = (same["runs"][0].get(name) for name in BUDGETS)
    recipes = {name: args.config_dir / f"{name}.py" for name in methods}
    without = [name for name, recipe in recipes.items() if not recipe.is_file()]
    if not args.report:
        if (args.budget or args.cpu_budget or 0) <= 0:
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


def chosen(text: str, data: str) -> list[str]:
    """Names of methods that learn from what a source holds: all of them, or those between commas.

    >>> chosen("simclr,mae", "synthetic"), "causal_lm" in chosen("all", "synthetic"), "cpc" in chosen("all", "audio:speech")
    (['simclr', 'mae'], False, True)
    """
    holds = {HOLDS[kind]} if (kind := data.partition(":")[0]) in HOLDS else set()
    if text == "all":
        return sorted(name for name, entry in REGISTRY.items() if {*entry.asks} - PICTURES == holds)
    for name in text.split(","):
        if (asked := {*find(name).asks} - PICTURES) != holds:
            needs, has = (" and ".join(sorted(fields)) or "pictures" for fields in (asked, holds))
            raise ValueError(f"{name} learns from {needs}, and the table of {data} is of {has}: leave it out")
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
    if steps:
        command += ["--steps", str(steps)]
    else:
        command += ["--cpu-budget", str(args.cpu_budget)] if args.cpu_budget else ["--budget", str(args.budget)]
    with open(workdir / "log.txt", "w") as log:
        code = subprocess.run([*command, "--outcome", str(outcome)], stdout=log, stderr=log).returncode
    identity = {
        "method": method,
        "seed": seed,
        "labels": "labels" in REGISTRY[method].asks,
        "data": without_paths(args.data),
        **budgets(args),
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
    cpu = runs[0].get("cpu_budget_seconds")
    length = f"--cpu-budget {cpu:g}" if cpu else f"--budget {runs[0]['budget_seconds']:g}"
    options = f"--data '{runs[0]['data']}' {f'--steps-of {steps_of}' if steps_of else length} --seeds {seeds}"
    if out.name != f"quality_{slug(runs[0]['data'])}":
        options += f" --out {out.name}"
    result = {
        "command": f"python benchmarks/quality.py --methods {methods} {options}",
        "without_recipe": missing,
        "raw": quality_report.raw(runs),
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
        settings = {"data": without_paths(args.data), **budgets(args), "steps_of": steps_of}
        for key, now in settings.items():
            if run.get(key) != now:
                raise ValueError(f"the runs there have {key}={run.get(key)}, not {now}; use another --out")


def budgets(args) -> dict[str, float | None]:
    """Those of the command, by their names in a run."""
    return dict(zip(BUDGETS, (args.budget, args.cpu_budget)))


def setting(table: dict) -> str:
    """What two tables must share to be compared."""
    run = next((run for run in table["runs"] if "error" not in run), None)
    if not run:
        return "failed runs alone"
    length = (
        f"{run['budget_seconds']:g} s" if run["budget_seconds"] else f"{run['cpu_budget_seconds']:g} s of processors"
    )
    return f"runs on {slug(run['data'])}, {run['num_train']} training examples, {length}"


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
