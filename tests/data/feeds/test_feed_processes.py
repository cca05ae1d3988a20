"""Feeds in several processes: workers of one host, and hosts of one run."""

import os
import pathlib
import subprocess
import sys

import pytest

WORKERS = """
import sys
import jax, numpy as np
from jssl.data import GrainFeed, open_source

if __name__ == "__main__":
    source = open_source(sys.argv[1], "train")
    mesh = jax.make_mesh((1, 1), ("data", "fsdp"), devices=jax.devices()[:1])
    serial = GrainFeed(source, mesh, seed=0, global_batch=4)
    batches = GrainFeed(source, mesh, seed=0, global_batch=4, num_workers=2, prefetch=1).iterate(3)
    for step in range(3, 7):
        batch = next(batches)
        for name, array in serial.batch(step).items():
            np.testing.assert_array_equal(batch[name], array)
    batches.close()
    fresh = open_source(sys.argv[1], "train")
    batches = GrainFeed(fresh, mesh, seed=0, global_batch=4, num_workers=1, prefetch=1).iterate()
    for step in range(6):  # two epochs of 12
        next(batches)
    batches.close()
    print("replaced", fresh.replaced)
    try:
        next(GrainFeed(open_source(sys.argv[2], "train"), mesh, seed=0, global_batch=12, num_workers=1).iterate())
    except ValueError as error:
        print("error", str(error).splitlines()[0])
"""


@pytest.mark.slow
def test_worker_processes_give_the_same_batches(damaged, tmp_path):
    """In a script of its own, as people run it: absl flags unparsed, workers that import the script."""
    script = tmp_path / "script.py"
    script.write_text(WORKERS)
    command = [sys.executable, str(script), f"folder:{damaged}?on_error=skip", f"folder:{damaged}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | {"PYTHONPATH": _root()})
    assert run.returncode == 0, run.stderr[-3000:]
    assert "replaced {5}" in run.stdout
    assert "error cannot read" in run.stdout and "1.png" in run.stdout


KILLED = """
import multiprocessing, os, signal
import jax
from jssl.data import GrainFeed, open_source

if __name__ == "__main__":
    source = open_source("synthetic:num_examples=40,image_size=8")
    mesh = jax.make_mesh((1, 1), ("data", "fsdp"), devices=jax.devices()[:1])
    batches = GrainFeed(source, mesh, seed=0, global_batch=4, num_workers=1).iterate()
    next(batches)
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
    try:
        for _ in range(30):
            next(batches)
    except OSError as error:
        print("error", error)
"""


@pytest.mark.slow
def test_a_worker_that_is_killed_is_told_in_a_line(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    run = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": _root()},
    )
    assert "error a process that reads the data was killed from outside" in run.stdout, run.stderr[-3000:]


HOSTS = """
import sys
import jax, numpy as np
from jax.experimental import multihost_utils
from jssl.data import GrainFeed, ResidentFeed, batch_indices, open_source, stack

number, port = int(sys.argv[1]), sys.argv[2]
jax.config.update("jax_num_cpu_devices", 2)
jax.distributed.initialize(f"localhost:{port}", num_processes=2, process_id=number)
source = open_source("synthetic:num_examples=40,image_size=8")
fields = stack(source)
devices = jax.devices()
for order in (devices, [devices[i] for i in (2, 0, 1, 3)]):  # hosts need not be in order in a mesh
    mesh = jax.sharding.Mesh(np.asarray(order).reshape(2, 2), ("data", "fsdp"))
    feeds = ResidentFeed(source, mesh, seed=1, global_batch=8), GrainFeed(source, mesh, seed=1, global_batch=8)
    for feed in feeds:
        for step, batch in zip(range(2, 5), feed.iterate(2)):
            assert len(batch["image"].addressable_shards) == 2
            whole = {name: multihost_utils.process_allgather(array, tiled=True) for name, array in batch.items()}
            index = batch_indices(1, step, 8, 40)
            np.testing.assert_array_equal(whole["index"], index)
            for name, array in fields.items():
                np.testing.assert_array_equal(whole[name], array[index])
print("agreed")
"""


@pytest.mark.slow
def test_two_real_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(HOSTS)
    import socket

    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | {"PYTHONPATH": _root()}
    runs = [
        subprocess.Popen(
            [sys.executable, str(script), str(i), str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        for i in range(2)
    ]
    said = [run.communicate(timeout=300)[0] for run in runs]  # of both before either may fail the test
    for run, out in zip(runs, said):
        assert run.returncode == 0 and "agreed" in out, out[-3000:]


def _root():
    return os.fspath(pathlib.Path(__file__).resolve().parents[3])
