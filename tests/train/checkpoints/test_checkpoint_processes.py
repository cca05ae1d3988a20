"""Checkpoints of processes that are killed, crash, or are two."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import jax
import numpy as np
import pytest
from checkpoint_states import META, abstract, assert_same, flip, make_mesh, names, put

from jssl.train.checkpoints import Checkpointer


def start(code, *arguments, devices=1):
    environment = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    root = str(pathlib.Path(__file__).parents[3])
    environment["PYTHONPATH"] = os.pathsep.join([root, environment.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


KILLED = """
    import sys, jax, numpy as np
    from jssl.train.checkpoints import Checkpointer
    state = lambda seed: {"x": jax.device_put(np.random.default_rng(seed).random((2048, 8192), np.float32))}
    checkpoints = Checkpointer(sys.argv[1], every=1)
    checkpoints.save(1, state(1), {})
    checkpoints.wait()
    checkpoints.save(2, state(2), {})
    checkpoints.wait()
"""


def killed_while_saving(folder, delay):
    child = start(KILLED, folder)
    deadline = time.monotonic() + 300
    while not (folder / "2.orbax-checkpoint-tmp").exists():
        assert child.poll() is None and time.monotonic() < deadline, child.communicate()
        time.sleep(0.001)
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert names(folder) == ["1", "2.orbax-checkpoint-tmp"]

    def state(seed):
        return {"x": jax.device_put(np.random.default_rng(seed).random((2048, 8192), np.float32))}

    with Checkpointer(folder, every=1) as checkpoints:
        restored, _, step = checkpoints.restore(abstract(state(0)))
        assert step == 1
        assert_same(restored, state(1))
        assert checkpoints.save(2, state(2), META)
    assert names(folder) == ["1", "2"]
    assert_same(Checkpointer(folder, every=1).restore(abstract(state(0)))[0], state(2))


@pytest.mark.slow
def test_killed_while_saving(tmp_path):
    killed_while_saving(tmp_path, delay=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.005, 0.05])
def test_killed_while_saving_at_other_moments(tmp_path, delay):
    killed_while_saving(tmp_path, delay)


CRASHED = """
    import sys, jax.numpy as jnp
    from jssl.train.checkpoints import Checkpointer
    checkpoints = Checkpointer(sys.argv[1], every=1)
    checkpoints.save(1, {"x": jnp.zeros((1024, 4096))}, {})
    raise SystemExit(3)
"""


@pytest.mark.slow
def test_a_crash_after_a_save_does_not_hang(tmp_path):
    child = start(CRASHED, tmp_path)
    child.communicate(timeout=300)  # Orbax's default would wait 20 minutes for a folder that nobody makes
    assert child.returncode == 3


TWO_PROCESSES = """
    import sys, jax, logging
    process, port, folder, task, said = int(sys.argv[1]), *sys.argv[2:5], open(sys.argv[5], "w")
    jax.config.update("jax_num_cpu_devices", 4)
    jax.distributed.initialize(f"localhost:{port}", num_processes=2, process_id=process)
    import numpy as np
    from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec as P
    from jssl.train.checkpoints import Checkpointer
    mesh = Mesh(np.array(jax.devices()).reshape(4, 2), ("data", "fsdp"), axis_types=(AxisType.Auto,) * 2)
    rows, whole = NamedSharding(mesh, P(("data", "fsdp"))), NamedSharding(mesh, P())
    make = lambda step: {"x": jax.random.bits(jax.random.key(step), (64, 1024)), "key": jax.random.key(step)}
    state = jax.jit(make, static_argnums=0, out_shardings={"x": rows, "key": whole})
    with Checkpointer(folder, every=1, keep=2) as checkpoints:
        abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state(0))
        found = checkpoints.restore(abstract)
        if found:
            same = all(np.array_equal(a.addressable_data(0), b.addressable_data(0)) for a, b in (
                (found[0]["x"], state(found[2])["x"]),
                (jax.random.key_data(found[0]["key"]), jax.random.key_data(state(found[2])["key"]))))
            print("restored", found[2], same, file=said)
        if task == "save":
            first = found[2] + 1 if found else 1
            for step in range(first, first + 3):
                checkpoints.save(step, state(step), {"config": {}})
    print("done", file=said)
    said.close()
"""


@pytest.mark.slow
def test_two_processes(tmp_path):
    import socket

    def both(task):
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            port = probe.getsockname()[1]
        # Not on stdout, where Gloo's threads write, too.
        said = [tmp_path.with_name(f"{tmp_path.name}_said{process}") for process in range(2)]
        children = [
            start(TWO_PROCESSES, process, port, tmp_path, task, said[process], devices=4) for process in range(2)
        ]
        outputs = [child.communicate(timeout=300) for child in children]
        assert [child.returncode for child in children] == [0, 0], outputs
        return [file.read_text().splitlines() for file in said]

    assert both("save") == [["done"]] * 2
    assert names(tmp_path) == ["2", "3"]
    state = put({"x": jax.random.bits(jax.random.key(3), (64, 1024)), "key": jax.random.key(3)}, make_mesh(2))
    assert_same(Checkpointer(tmp_path, every=1).restore(abstract(state))[0], state)  # one process, two devices
    for data in (tmp_path / "3").rglob("d/*"):
        if data.stat().st_size > 50_000:
            flip(data, data.stat().st_size // 2)
    assert both("save") == [["restored 2 True", "done"]] * 2
    assert names(tmp_path) == ["4", "5"]
    assert both("load") == [["restored 5 True", "done"]] * 2
