"""The same run on any devices and processes: how far losses and states end from those of one device.

python benchmarks/layouts.py [--rows clip,vjepa] [--layouts all]

Every row of the tests' table of tiny methods trains for so many steps, once on one device of one process, then on every layout;
processes are real ones of this machine, with virtual CPU devices. A difference of a loss is relative to it; that of a state is
taken per part (weights, teacher, each of the statistics, queues and centres), relative to the largest number there.
Writes results/layouts.json and results/layouts.md after every run; what was measured before is kept, and can be measured again
by deleting it.
"""

import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
sys.path.insert(0, str(ROOT / "tests"))
ONE = "1 x 1, fsdp 1, resident"
# (processes, devices of each) -> (devices that share one state, feed)
ALL = {(1, 8): [(4, "resident")], (2, 2): [(1, "resident"), (2, "grain")], (4, 2): [(8, "grain")]}
FEW = {(2, 2): [(2, "grain")], (1, 8): [(4, "resident")]}
STEPS = 20
BOUND = 1e-4
"""What the tests allow."""


def main() -> int:
    from rows import ROWS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help="some of the tests' table of tiny methods")
    parser.add_argument("--layouts", choices=("few", "all"), default="few")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker)
        return 0
    layouts = ALL if args.layouts == "all" else FEW
    done = measured()
    missing = {
        (here, of_here): [row for row in args.rows.split(",") if label(*here, *of_here) not in done.get(row, {})]
        for here, runs in layouts.items()
        for of_here in runs
    }
    with tempfile.TemporaryDirectory() as folder:
        wanted = {row for rows in missing.values() for row in rows}
        start((1, 1), {(1, "resident"): [row for row in args.rows.split(",") if row in wanted]}, folder)
        for here, runs in layouts.items():
            start(here, {of_here: missing[here, of_here] for of_here in runs}, folder)
    over = [
        f"{row} on {where}" for row, cells in measured().items() for where, pair in cells.items() if max(pair) > BOUND
    ]
    print("\n".join(over))
    return int(bool(over))


def start(here: tuple[int, int], runs: dict[tuple, list[str]], folder: str) -> None:
    """All rows in all layouts of one number of processes and devices."""
    if not any(runs.values()):
        return
    processes, devices = here
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    todo = json.dumps([folder, [[*of_here, rows] for of_here, rows in runs.items()]])
    command = [sys.executable, __file__, "--worker", todo]
    own = {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(devices),
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests"))),
        "JSSL_COORDINATOR": f"localhost:{port}",
        "JSSL_PROCESSES": str(processes),
    }
    running = [
        subprocess.Popen(command, env=os.environ | own | {"JSSL_PROCESS": str(number)}, stdout=subprocess.DEVNULL)
        for number in range(processes)
    ]
    if any([process.wait() for process in running]):
        sys.exit(f"{processes} processes of {devices} devices failed; the same command goes on where they ended")


def work(todo: str) -> None:
    """In each process: runs, and in the first one how far they are from one device's."""
    import jax

    from jssl import processes

    if int(os.environ["JSSL_PROCESSES"]) > 1:
        processes.initialise()
    jax.config.update("jax_default_matmul_precision", "float32")
    import numpy as np

    here = jax.process_count(), jax.local_device_count()
    folder, runs = json.loads(todo)
    for fsdp, feed, rows in runs:
        for row in rows:
            where = label(*here, fsdp, feed)
            found = ended(row, fsdp, feed)
            if processes.first():
                file = pathlib.Path(folder, f"{row}.npz")
                if where == ONE:
                    np.savez(file, **found)
                else:
                    one = dict(np.load(file))
                    keep(row, where, [loss_difference(one, found), state_difference(one, found)])
                print(f"{row} on {where}", file=sys.stderr, flush=True)
            jax.clear_caches()


def ended(row: str, fsdp: int, feed: str) -> dict:
    """The losses of a row's run on all devices, and the arrays that it ends with."""
    import jax
    import numpy as np
    from harness import BATCH, Tiny, arrays, source_of
    from jax.sharding import NamedSharding, PartitionSpec

    from jssl import data

    run = Tiny(row, devices=jax.device_count(), fsdp=fsdp)
    if feed == "grain":
        run.feed = data.GrainFeed(source_of(row), run.mesh, seed=3, global_batch=BATCH)
    losses = run.run(STEPS)
    state = {"params": run.state.params, "teacher": run.state.teacher, **run.state.extra}
    whole = jax.jit(lambda x: x, out_shardings=NamedSharding(run.mesh, PartitionSpec()))(state)
    return {"losses": np.asarray(losses), **arrays(jax.tree.map(lambda x: x.addressable_data(0), whole))}


def label(processes: int, devices: int, fsdp: int, feed: str) -> str:
    """What a layout is called in the table.

    >>> label(2, 4, 8, "grain")
    '2 x 4, fsdp 8, grain'
    """
    return f"{processes} x {devices}, fsdp {fsdp}, {feed}"


def measured() -> dict[str, dict[str, list[float]]]:
    """Row -> layout -> (difference of the losses, of the states)."""
    file = RESULTS / "layouts.json"
    return json.loads(file.read_text()) if file.exists() else {}


def keep(row: str, where: str, pair: list[float]) -> None:
    """Adds what was measured to both files."""
    done = measured()
    done.setdefault(row, {})[where] = [float(f"{figure:.1e}") for figure in pair]
    RESULTS.joinpath("layouts.json").write_text(json.dumps(done, indent=1, sort_keys=True) + "\n")
    RESULTS.joinpath("layouts.md").write_text(table(done))


def table(done: dict[str, dict[str, list[float]]]) -> str:
    """Markdown: a row per method, a column per layout.

    >>> print(table({"mae": {"2 x 2, fsdp 1, resident": [1e-7, 2e-8]}}).splitlines()[-1])
    | mae |  | 1.0e-07 / 2.0e-08 |  |  |
    """
    columns = [label(*here, *of_here) for here, runs in ALL.items() for of_here in runs]
    lines = [
        "# The same run on any devices and processes",
        "",
        f"`python benchmarks/layouts.py`: largest relative difference of the losses of {STEPS} steps / of the state after them,",
        "from one device of one process, for every row of the tests' table of tiny methods. A column is processes x devices of",
        "each, devices that share one state, and feed. An empty cell was not run here; the tests run every row on one process of",
        f"eight devices, and allow {BOUND:.0e}. The program says how it is taken.",
        "",
        f"| method | {' | '.join(columns)} |",
        f"| --- |{' --- |' * len(columns)}",
    ]
    for row, cells in sorted(done.items()):
        texts = ["{:.1e} / {:.1e}".format(*cells[where]) if where in cells else "" for where in columns]
        lines.append(f"| {row} | {' | '.join(texts)} |")
    return "\n".join(lines) + "\n"


def loss_difference(one: dict, here: dict) -> float:
    return float(abs(here["losses"] / one["losses"] - 1).max())


def state_difference(one: dict, here: dict) -> float:
    """Of the part that differs most; whole numbers have to be equal."""
    differences: dict[str, float] = {}
    sizes: dict[str, float] = {}
    for path in one.keys() - {"losses"}:
        part = path.split("]")[0]
        a, b = one[path], here[path]
        if a.dtype.kind != "f":
            if not (a == b).all():
                return float("inf")
            continue
        differences[part] = max(differences.get(part, 0.0), float(abs(a - b).max(initial=0.0)))
        sizes[part] = max(sizes.get(part, 0.0), float(abs(a).max(initial=0.0)))
    return max(differences[part] / (sizes[part] or 1.0) for part in differences)


if __name__ == "__main__":
    sys.exit(main())
