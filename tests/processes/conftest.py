"""What the runs of several processes share: one cache of compiled programs, and one undisturbed run."""

import launched
import pytest
from launched import STEPS
from runs import write_recipe


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def straight(tmp_path_factory, cache):
    """(recipe, workdir) of a run of 24 steps on two processes of two devices each, by launch/local.py."""
    folder = tmp_path_factory.mktemp("straight")
    recipe = write_recipe(folder, "mae", STEPS)
    launcher = launched.local(["-n", 2, "--devices", 2], launched.pretrain(recipe, folder / "w"), cache)
    _, errors = launcher.communicate(timeout=300)
    assert (launcher.returncode, errors) == (0, "")
    return recipe, folder / "w"
