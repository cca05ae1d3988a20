"""Several processes are one run: the same as on one process, written once, and continued by any number of them."""

import json
import os
import pathlib
import shutil
import signal
import stat
import sys
import textwrap

import chex
import jax
import launched
import numpy as np
import pytest
from harness import assert_same_run
from launched import STEPS, local, losses, pretrain
from PIL import Image

from jssl import config
from jssl.cli import main
from jssl.data.card import Card
from jssl.train import setup
from jssl.train.checkpoints import Checkpointer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]


def final(workdir):
    """The state of the newest checkpoint, on the devices of this process."""
    card = Card.from_json(config.read_object(workdir / "data.json"))
    run = setup.build(config.read_json(workdir / "config.json"), card)
    with Checkpointer(setup.checkpoint_folder(workdir), every=1) as checkpoints:
        return checkpoints.restore(setup.abstract(run.init_state()[0]))[0]


def test_the_same_as_on_one_process(straight, tmp_path, cache):
    recipe, two = straight
    one, other = tmp_path / "one", tmp_path / "other"
    assert main(pretrain(recipe, one)[3:]) == 0
    assert_same_run(losses(two), losses(one), final(two), final(one))

    # In slices over both, and each reads the examples of its own devices.
    layout = ["fsdp=4", "data.feed=grain"]
    launcher = local(["-n", 2, "--devices", 2], pretrain(recipe, other, *layout), cache)
    assert launcher.communicate(timeout=300)[1] == "" and launcher.returncode == 0
    assert_same_run(losses(other), losses(one), final(other), final(one))


def test_four_processes_go_on_where_two_have_stopped(straight, tmp_path, cache):
    recipe, two = straight
    shutil.copytree(two, tmp_path / "w")
    launcher = local(["-n", 4], pretrain(recipe, tmp_path / "w", f"steps={STEPS + 3}"), cache)
    _, errors = launcher.communicate(timeout=300)
    assert launcher.returncode == 0 and f"step {STEPS}, steps {STEPS} -> {STEPS + 3}" in errors, errors
    assert losses(tmp_path / "w")[: len(losses(two))] == losses(two) and int(final(tmp_path / "w").step) == STEPS + 3


def child(launcher, number: int) -> int:
    """The process of a number that a launcher has started."""
    for pid in map(int, pathlib.Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()):
        if f"\0JSSL_PROCESS={number}\0" in pathlib.Path(f"/proc/{pid}/environ").read_text():
            return pid
    raise AssertionError(f"process {number} does not run")


def test_one_is_killed_and_the_run_ends_bit_identical(straight, tmp_path, cache):
    recipe, undisturbed = straight
    launcher = local(["-n", 2, "--devices", 2], pretrain(recipe, tmp_path / "w"), cache)
    launched.wait_for(lambda: launched.lines(tmp_path / "w") >= 3, [launcher])
    killed = child(launcher, 1)
    os.kill(killed, signal.SIGKILL)
    _, errors = launcher.communicate(timeout=300)
    assert launcher.returncode == 0, errors
    assert f"launch: process 1 (pid {killed}) was killed by SIGKILL" in errors
    assert "launch: starting all 2 processes again (1 of 3)" in errors
    chex.assert_trees_all_equal(*(jax.tree.map(_bits, final(w)) for w in (tmp_path / "w", undisturbed)))
    assert losses(tmp_path / "w")[-1] == losses(undisturbed)[-1]


def test_they_evaluate_together_as_one_does_alone(straight, tmp_path, cache):
    """Each holds a part of the bank."""
    shutil.copytree(straight[1], tmp_path / "w")
    found = []
    for count in (1, 2):
        command = [sys.executable, "-m", "jssl.cli", "evaluate", "--workdir", str(tmp_path / "w")]
        own = {"XDG_CACHE_HOME": tmp_path / str(count)}  # figures of the untrained encoder are kept there
        launcher = local(["-n", count, "--devices", 2], [*command, "--protocols=knn,linear"], cache, **own)
        told, errors = launcher.communicate(timeout=300)
        assert launcher.returncode == 0, errors
        assert told.count("| raw input |") == 1
        found.append(json.loads((tmp_path / "w" / "evaluation.json").read_text())["results"])
    for subject, figures in found[0].items():
        assert found[1][subject] == pytest.approx(figures, rel=1e-3), subject


def test_they_write_the_features_that_one_does_alone(straight, tmp_path, cache):
    """Each reads a part of the pictures; of those that cannot be read the first one learns from the others."""
    pictures = tmp_path / "pictures" / "cat"
    pictures.mkdir(parents=True)
    for number in range(11):
        pixels = np.random.default_rng(number).integers(0, 255, (20, 18, 3), np.uint8)
        Image.fromarray(pixels).save(pictures / f"{number:02}.png")
    for number in (3, 8):
        (pictures / f"{number:02}.png").write_bytes(b"no picture")
    data = ["--data", f"folder:{pictures.parent}?on_error=skip", "--batch-size", "6"]
    files, said = [], []
    for count in (1, 2):
        out = tmp_path / str(count) / "x.npy"
        out.parent.mkdir()
        command = [sys.executable, "-m", "jssl.cli", "embed", "--workdir", str(straight[1]), "--out", str(out), *data]
        launcher = local(["-n", count, "--devices", 2 // count], command, cache)
        told, errors = launcher.communicate(timeout=300)
        assert launcher.returncode == 0 and told.count("11 x ") == 1, errors
        files.append([out.read_bytes(), out.with_suffix(".json").read_text()])
        said.append([line for line in errors.splitlines() if line.startswith("jssl")])
    assert files[0] == files[1]
    assert np.flatnonzero(np.isnan(np.load(out)).any(1)).tolist() == [3, 8]
    assert said[0] == said[1] == ["jssl: 2 unreadable of 11 have features of NaN: cat/03.png, cat/08.png"]


def _bits(leaf):
    return jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


SRUN = """#!/bin/bash
# Two tasks on one node, as srun starts them: the variables that it gives to each, and the code of the one that failed.
while [[ $1 == --* ]]; do shift; done
for task in 0 1; do
  SLURM_PROCID=$task SLURM_LOCALID=$task "$@" & tasks[$task]=$!
done
code=0
for task in "${tasks[@]}"; do wait "$task" || code=$?; done
exit $code
"""


def test_slurm_starts_one_run(tmp_path, cache):
    """launch/slurm.sbatch with a stand-in of srun; the tasks find each other by SLURM's variables."""
    program = """
        import os, sys
        from jssl import processes
        processes.initialise()
        assert sys.argv[1:] == ["pretrain", "--no-progress", "--config", "mae"]
        assert processes.first() == (os.environ["SLURM_PROCID"] == "0")
        assert processes.agree(True) and not processes.agree(processes.first()) and processes.from_first(7) == 7
        mine = {7, 2**40} if processes.first() else {8}
        assert processes.union(mine) == {7, 8, 2**40}, processes.union(mine)
    """
    for name, script in {
        "srun": SRUN,
        "jssl": f"#!{sys.executable}\n{textwrap.dedent(program)}",
        "scontrol": "#!/bin/bash\n",
    }.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(stat.S_IRWXU)
    variables = {"SLURM_JOB_ID": os.getpid(), "SLURM_NTASKS": 2, "SLURM_STEP_NUM_TASKS": 2}
    variables |= {"SLURM_STEP_NODELIST": "localhost", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = ["bash", launched.ROOT / "launch" / "slurm.sbatch"]
    job = launched.launch(script, ["--config", "mae"], [], cache, **variables)
    _, errors = job.communicate(timeout=300)
    assert (job.returncode, errors) == (0, "")
