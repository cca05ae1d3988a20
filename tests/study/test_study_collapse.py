"""``jssl study collapse``: its rows, what it repeats, and a breakage of each mechanism, run to its verdict."""

import json

import numpy as np
import pytest

from jssl import methods
from jssl.cli import main
from jssl.data import registry as sources
from jssl.study import breakages, collapse, frame
from jssl.study.collapse_rows import ROWS

BY_NAME = {row.name: row for row in ROWS}
FOUND = {
    "name": "simclr",
    "says": "SimCLR",
    "linear": 0.5,
    "knn": 0.25,
    "untrained_knn": 0.125,
    "rankme": 9.0,
    "mean_cosine": 0.5,
    "verdict": "healthy",
    "expected": "healthy",
    "evidence": [],
}


def test_every_row_has_a_name_of_its_own_and_a_config_that_its_method_takes():
    assert len(BY_NAME) == len(ROWS)
    spec, about = breakages.Patterns().spec, breakages.Patterns().about
    with breakages.registered():
        for row in ROWS:
            options = row.config().method.to_dict()
            assert methods.build(options.pop("name"), spec=spec, about=about, **options).name == (
                row.method or row.recipe
            )


def test_broken_methods_are_known_inside_and_nowhere_else():
    before = set(methods.REGISTRY), set(sources._KINDS)
    with pytest.raises(KeyError), breakages.registered():
        assert set(methods.REGISTRY) > before[0] and set(sources._KINDS) > before[1]
        raise KeyError
    assert (set(methods.REGISTRY), set(sources._KINDS)) == before


def test_a_tag_is_all_of_its_picture_and_hides_two_rows_alone():
    data, blank = breakages.Patterns(), np.zeros((2, 16, 16, 3), np.float32)
    first, again, other = (np.asarray(breakages.stamp(data[n], blank)) for n in (0, 0, 8))  # of one class
    rows = breakages.TAG_ROWS
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[0], first[1])
    assert np.abs(first - other)[:, :rows].max() > 0.1 and not first[:, rows:].any()


def test_a_finished_row_is_not_repeated(tmp_path, capsys):
    (tmp_path / "simclr").mkdir()
    (tmp_path / "simclr" / "study.json").write_text(json.dumps(FOUND))
    arguments = ["study", "collapse", "--workdir", str(tmp_path), "--rows", "simclr"]
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert told.err == "simclr: healthy\n"
    assert told.out.splitlines()[-1] == "| SimCLR | 50.0 | 25.0 | 12.5 | 9.0 | 0.500 | healthy | healthy |"
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": [FOUND]}


def test_an_unknown_row_is_one_line(tmp_path, capsys):
    assert main(["study", "collapse", "--workdir", str(tmp_path), "--rows", "simclr_taged"]) == 2
    assert "the study has no row 'simclr_taged'; did you mean 'simclr_tagged'?" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["simclr_tagged"])
def test_a_breakage_gets_the_verdict_that_is_expected(name, tmp_path):
    (found,) = frame.run_study(collapse.STUDY, str(tmp_path), [name], tell=lambda line: None)["rows"]
    assert found["verdict"] == found["expected"] != "healthy"
    assert json.loads((tmp_path / name / "study.json").read_text()) == found
