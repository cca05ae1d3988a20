"""The same run on any devices and processes: how far losses and states end from those of one device.

    python benchmarks/layouts.py --out benchmarks/results/layouts.md

Every method trains its tiny network of the tests for so many steps, once on one device of one process, then on every layout;
processes are real ones of this machine, with virtual CPU devices. A difference of a loss is relative to it; that of a state is
taken per part (weights, teacher, each of the statistics, queues and centres), relative to the largest number there.
"""

import argparse
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
METHODS = ("simclr", "moco", "byol", "swav", "dino", "mae", "ijepa", "clip", "causal_lm")
# (processes, devices of each) -> (devices that share one state, feed)
LAYOUTS = {
    (1, 1): [(1, "resident")],
    (1, 8): [(4, "resident")],
    (2, 2): [(1, "resident"), (2, "grain")],
    (4, 2): [(8, "grain")],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default=",".join(METHODS), help="rows of the tests' table of tiny methods")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", help="a Markdown file; the table is printed without it")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return work(args)
    with tempfile.TemporaryDirectory() as folder:
        for processes, devices in LAYOUTS:
            start(processes, devices, folder, args)
        text = table(pathlib.Path(folder), args)
    print(text)
    if args.out:
        pathlib.Path(args.out).write_text(text)


def start(processes: int, devices: int, folder: str, args) -> None:
    """All methods in all layouts of one number of processes and devices."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, __file__, "--worker", folder, "--methods", args.methods, "--steps", str(args.steps)]
    own = {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(devices),
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests"))),
        "JSSL_COORDINATOR": f"localhost:{port}",
        "JSSL_PROCESSES": str(processes),
    }
    running = [
        subprocess.Popen(command, env=os.environ | own | {"JSSL_PROCESS": str(number)}, stdout=subprocess.DEVNULL)
        for number in range(processes)
    ]
    if any([process.wait() for process in running]):
        sys.exit(f"{processes} processes of {devices} devices failed")


def work(args) -> None:
    """In each process: runs, and in the first one what they end with, as files."""
    import jax

    from jssl import processes

    if int(os.environ["JSSL_PROCESSES"]) > 1:
        processes.initialise()
    jax.config.update("jax_default_matmul_precision", "float32")
    import numpy as np
    from harness import BATCH, Tiny, arrays, source_of
    from jax.sharding import NamedSharding, PartitionSpec

    from jssl import data

    here = jax.process_count(), jax.local_device_count()
    for name in args.methods.split(","):
        for fsdp, feed in LAYOUTS[here]:
            run = Tiny(name, devices=jax.device_count(), fsdp=fsdp)
            if feed == "grain":
                run.feed = data.GrainFeed(source_of(name), run.mesh, seed=3, global_batch=BATCH)
            losses = run.run(args.steps)
            state = {"params": run.state.params, "teacher": run.state.teacher, **run.state.extra}
            whole = jax.jit(lambda x: x, out_shardings=NamedSharding(run.mesh, PartitionSpec()))(state)
            if processes.first():
                print(f"{name} on {here}, fsdp={fsdp}, {feed}", file=sys.stderr, flush=True)
                leaves = arrays(jax.tree.map(lambda x: x.addressable_data(0), whole))
                np.savez(pathlib.Path(args.worker, label(name, *here, fsdp, feed)), losses=np.asarray(losses), **leaves)
            jax.clear_caches()


def label(name, processes, devices, fsdp, feed) -> str:
    return f"{name},{processes},{devices},{fsdp},{feed}.npz"


def table(folder: pathlib.Path, args) -> str:
    """Markdown: a row per layout, and a pair of figures per method."""
    import numpy as np

    methods = args.methods.split(",")
    out = f" --out {args.out}" if args.out else ""
    lines = [
        "# The same run on any devices and processes",
        "",
        f"`python benchmarks/layouts.py --methods {args.methods} --steps {args.steps}{out}`:",
        f"largest relative difference of the losses of {args.steps} steps / of the state after them, from one device of one",
        "process. The program says how it is taken.",
        "",
        "| processes x devices | fsdp | feed | " + " | ".join(methods) + " |",
        "| --- | --- | --- |" + " --- |" * len(methods),
    ]
    for (processes, devices), layouts in LAYOUTS.items():
        for fsdp, feed in layouts[1:] if (processes, devices) == (1, 1) else layouts:
            cells = []
            for name in methods:
                one, here = (
                    dict(np.load(folder / label(name, *layout)))
                    for layout in ((1, 1, 1, "resident"), (processes, devices, fsdp, feed))
                )
                cells.append(f"{loss_difference(one, here):.1e} / {state_difference(one, here):.1e}")
            lines.append(f"| {processes} x {devices} | {fsdp} | {feed} | {' | '.join(cells)} |")
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
            assert (a == b).all(), path
            continue
        differences[part] = max(differences.get(part, 0.0), float(abs(a - b).max(initial=0.0)))
        sizes[part] = max(sizes.get(part, 0.0), float(abs(a).max(initial=0.0)))
    return max(differences[part] / (sizes[part] or 1.0) for part in differences)


if __name__ == "__main__":
    main()
