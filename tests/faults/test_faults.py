"""Faults that are injected into real runs of the command, as benchmarks/faults.py does for all methods."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))  # a folder of scripts, not a package

import faults  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]  # one undisturbed run for all

ELSEWHERE = {
    *("SIGKILL at random moments", "SIGTERM", "SIGINT"),  # test_cli_stops.py, for several methods
    *(
        f"newest checkpoint, {how}" for how in ("cut short", "its files emptied", "its record deleted")
    ),  # train/checkpoints
    *(f"{what} of two processes" for what in ("SIGKILL of the second", "SIGTERM to one")),  # processes/
    *(f"SIGSTOP of the {which} of two processes" for which in ("first", "second")),  # processes/, without a run
    *("data changed between two starts", "archives cut short, or with members that escape"),  # test_resume.py, data/
    "workdir read-only",  # train/test_workdir.py
    *("two processes instead of one", "one process instead of two"),  # processes/, train/checkpoints/
}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    return faults.Campaign("moco", tmp_path_factory.mktemp("campaign"))  # batch norm, a teacher and a queue


@pytest.mark.parametrize("title", [title for title in faults.FAULTS if title not in ELSEWHERE])
def test_fault(title, campaign):
    outcome = faults.FAULTS[title](campaign)
    assert outcome and outcome != "does not apply"


def test_a_fault_that_does_harm_is_told(campaign):
    """The campaign itself: a state that differs is no success."""
    workdir = campaign.interrupted("harm")
    campaign.run(workdir, "--config.seed=0", "--config.optimizer.learning_rate=0.5", code=2)
    with pytest.raises(AssertionError, match="exit code 2, not 0"):
        campaign.goes_on(workdir, "--config.optimizer.learning_rate=0.5")
    other = campaign.folder / "other_seed"
    campaign.run(other, "--config.seed=1")
    with pytest.raises(AssertionError, match=r"\d+ of \d+ arrays differ"):
        campaign.same(other)


def test_outcomes_that_are_not_asked_for_again_stay(tmp_path):
    for method, outcome in (("moco", "told"), ("mae", "bit-identical"), ("moco", "one line")):
        faults.keep(tmp_path, method, "SIGTERM", outcome)
    faults.keep(tmp_path, "mae", "SIGINT", "told")
    assert faults.kept(tmp_path) == {
        "moco": {"SIGTERM": "one line"},
        "mae": {"SIGTERM": "bit-identical", "SIGINT": "told"},
    }
    assert tmp_path.joinpath("faults.md").read_text().splitlines()[-2:] == [
        "| SIGTERM | one line | bit-identical |",
        "| SIGINT |  | told |",
    ]
