"""What all studies share: names, rows, what is not repeated, what is refused."""

import json

import pytest

from jssl import commands
from jssl.cli import main
from jssl.study import frame


@pytest.mark.parametrize("name", commands.STUDIES)
def test_every_study_has_rows_of_different_names(name):
    study = frame.find(name)
    rows = study.rows(None, False)
    assert len({row.name for row in rows}) == len(rows)


def test_a_folder_with_another_run_is_refused(tmp_path):
    row = frame.Run("mae", "MAE", "mae:small,synthetic", ("steps=3",))
    study = frame.Study(lambda data, full: [row], lambda row, folder: {}, str, str)
    (tmp_path / "mae").mkdir()
    (tmp_path / "mae" / "study.json").write_text('{"name": "mae"}')
    (tmp_path / "mae" / "config.json").write_text(json.dumps(row.config().to_dict()))
    found = frame.run_study(study, str(tmp_path), tell=lambda line: None, overrides=["run.keep=1"])
    assert found == {"rows": [{"name": "mae"}]}
    with pytest.raises(ValueError, match=r"mae holds another run \(seed: 0 -> 1\)"):
        frame.run_study(study, str(tmp_path), tell=lambda line: None, overrides=["seed=1"])


def test_what_is_found_of_several_rows_stands_beside_them(tmp_path):
    rows = [frame.Run(name, name, "mae:small,synthetic") for name in "ab"]
    study = frame.Study(
        lambda data, full: rows, lambda row, folder: {}, str, str, lambda found, folder: {"n": len(found)}
    )
    for row in rows:
        (tmp_path / row.name).mkdir()
        (tmp_path / row.name / "study.json").write_text(json.dumps({"name": row.name}))
    assert frame.run_study(study, str(tmp_path), tell=lambda line: None)["n"] == 2
    assert frame.run_study(study, str(tmp_path), ["b"], tell=lambda line: None) == {"rows": [{"name": "b"}], "n": 1}


def test_the_study_of_breakages_has_its_own_data(tmp_path, capsys):
    assert main(["study", "collapse", "--workdir", str(tmp_path), "--full"]) == 2
    assert "leave --data and --full out" in capsys.readouterr().err
