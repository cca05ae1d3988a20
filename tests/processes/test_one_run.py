"""Several processes are one run: the same as on one process, written once, and continued by any number of them."""

import os
import pathlib
import signal
import stat
import sys
import time

import chex
import jax
import launched
import pytest
from conftest import STEPS, losses
from harness import assert_same_run
from launched import local, pretrain
from runs import write_recipe

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
    assert len(losses(two)) == len(losses(one)) == STEPS // 3  # no line twice
    assert_same_run(losses(two), losses(one), final(two), final(one))

    # In slices over both, and each reads the examples of its own devices.
    layout = ["fsdp=2", "data.feed=grain", "data.options.num_workers=1"]
    launcher = local(["-n", 2, "--devices", 2], pretrain(recipe, other, *layout), cache)
    assert launcher.communicate(timeout=300)[1] == "" and launcher.returncode == 0
    assert_same_run(losses(other), losses(one), final(other), final(one))


def test_four_processes_go_on_where_two_have_stopped(straight, tmp_path, cache):
    recipe, _ = straight
    for name, counts in {"a": [(2, 12), (4, STEPS)], "b": [(1, STEPS)]}.items():
        for count, steps in counts:
            command = pretrain(recipe, tmp_path / name, f"steps={steps}", "optimizer.name=sgd")
            launcher = local(["-n", count], command, cache)
            _, errors = launcher.communicate(timeout=300)
            assert launcher.returncode == 0, errors
    assert losses(tmp_path / "a")[:4] == pytest.approx(
        losses(tmp_path / "b")[:4], rel=0.2
    )  # another length: other rates
    assert int(final(tmp_path / "a").step) == STEPS


def child(launcher, number: int) -> int:
    """The process of a number that a launcher has started."""
    for pid in map(int, pathlib.Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()):
        if f"\0JSSL_PROCESS={number}\0" in pathlib.Path(f"/proc/{pid}/environ").read_text():
            return pid
    raise AssertionError(f"process {number} does not run")


@pytest.mark.parametrize("number", [0, 1])
def test_one_is_killed_and_the_run_ends_bit_identical(number, straight, tmp_path, cache):
    recipe, undisturbed = straight
    launcher = local(["-n", 2, "--devices", 2, "--restarts", 1], pretrain(recipe, tmp_path / "w"), cache)
    launched.wait_for(lambda: launched.lines(tmp_path / "w") >= 3, [launcher])
    killed = child(launcher, number)
    os.kill(killed, signal.SIGKILL)
    _, errors = launcher.communicate(timeout=300)
    assert launcher.returncode == 0, errors
    assert f"launch: process {number} (pid {killed}) was killed by SIGKILL" in errors
    assert "launch: starting all 2 processes again (1 of 1)" in errors
    chex.assert_trees_all_equal(*(jax.tree.map(_bits, final(w)) for w in (tmp_path / "w", undisturbed)))
    assert losses(tmp_path / "w") == losses(undisturbed)


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
    for name, script in {
        "srun": SRUN,
        "jssl": f'#!/bin/bash\nexec {sys.executable} -m jssl.cli "$@"\n',
        "scontrol": "#!/bin/bash\n",
    }.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(stat.S_IRWXU)
    recipe = write_recipe(tmp_path, "mae", 4)
    variables = {"SLURM_JOB_ID": os.getpid(), "SLURM_NTASKS": 2, "SLURM_STEP_NUM_TASKS": 2}
    variables |= {"SLURM_STEP_NODELIST": "localhost", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    arguments = ["--config", recipe, "--workdir", str(tmp_path / "w")]
    job = launched.launch(["bash", launched.ROOT / "launch" / "slurm.sbatch"], arguments, [], cache, **variables)
    _, errors = job.communicate(timeout=300)
    assert (job.returncode, errors) == (0, "")
    assert int(final(tmp_path / "w").step) == 4 and not (tmp_path / "w" / "lock").exists()
