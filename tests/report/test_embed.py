"""jssl embed: every picture of a folder, through any readout, from a run whose data is gone."""

import shutil

import numpy as np
import pytest

from jssl.cli import main


def embed(workdir, photos, out, *options):
    return main(["embed", "--workdir", str(workdir), "--data", f"folder:{photos}", "--out", str(out), *options])


def read(out):
    with np.load(out) as file:
        return dict(file)


def test_every_picture_in_order_with_names(workdir, photos, tmp_path, capsys):
    assert embed(workdir, photos, tmp_path / "x.npz", "--batch-size", "3") == 0  # of eight devices
    assert capsys.readouterr().out == f"{tmp_path / 'x.npz'}: 7 x 16 features, labels, names\n"
    found = read(tmp_path / "x.npz")
    assert found["names"].tolist() == sorted(str(p.relative_to(photos)) for p in photos.glob("*/*.png"))
    assert found["class_names"][found["labels"]].tolist() == [name.split("/")[0] for name in found["names"]]
    assert found["features"].shape == (7, 16) and len(np.unique(found["features"][:, 0])) == 7


@pytest.mark.slow
def test_readouts_tokens_and_the_teacher(workdir, photos, tmp_path, capsys):
    found = {}
    for name, options in {
        "pooled": [],
        "tokens": ["--tokens"],
        "projector": ["--readout", "projector"],
        "teacher": ["--teacher", "--readout", "projector"],
    }.items():
        assert embed(workdir, photos, tmp_path / f"{name}.npz", *options) == 0
        found[name] = read(tmp_path / f"{name}.npz")["features"]
    shapes = {name: array.shape for name, array in found.items()}
    assert shapes == {"pooled": (7, 16), "tokens": (7, 4, 16), "projector": (7, 8), "teacher": (7, 8)}
    assert np.abs(found["teacher"] - found["projector"]).max() > 0.1
    assert embed(workdir, photos, tmp_path / "x.npz", "--readout", "project") == 2
    assert "byol has no readout 'project'; it has image, projector" in capsys.readouterr().err
    assert embed(workdir, photos, tmp_path / "x.npz", "--tokens", "--readout", "projector") == 2
    assert "this readout has no tokens" in capsys.readouterr().err and not (tmp_path / "x.npz").exists()


def test_what_cannot_be_read_is_not_a_number_and_is_named(workdir, photos, tmp_path, capsys, caplog):
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / "dog" / "2.png").write_bytes(b"no picture")
    assert embed(workdir, tmp_path / "photos", tmp_path / "x.npz") == 2
    assert "dog/2.png" in capsys.readouterr().err and not (tmp_path / "x.npz").exists()
    assert embed(workdir, f"{tmp_path}/photos?on_error=skip", tmp_path / "x.npz") == 0
    found = read(tmp_path / "x.npz")
    assert found["names"][np.isnan(found["features"]).all(1)].tolist() == ["dog/2.png"]
    assert np.isnan(found["features"]).any(1).sum() == 1
    assert "1 unreadable of 7 have features of NaN: dog/2.png" in caplog.text


def test_a_place_that_cannot_be_written_is_told_before_anything_is_loaded(photos, capsys):
    assert embed("no run", "no photos", "no/x.npz") == 2
    assert capsys.readouterr().err.startswith("jssl: no/x.npz cannot be written: No such file or directory")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("config.json", '{"seed": 0, "met', "is damaged"),
        ("config.json", "[1, 2]", "holds a list instead of an object"),
        ("data.json", "", "is damaged"),
    ],
)
def test_a_damaged_file_of_the_run_is_named(workdir, photos, tmp_path, capsys, name, text, told):
    shutil.copytree(workdir, tmp_path / "w")
    (tmp_path / "w" / name).write_text(text)
    assert embed(tmp_path / "w", photos, tmp_path / "x.npz") == 2
    error = capsys.readouterr().err
    assert f"{name} {told}" in error and error.count("\n") == 1
