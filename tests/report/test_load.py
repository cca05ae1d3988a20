"""jssl.load: what a program gets is what jssl embed writes."""

import numpy as np
import pytest
from PIL import Image

import jssl
from jssl.cli import main


@pytest.fixture(scope="module")
def model(workdir):
    return jssl.load(workdir)


def test_pictures_of_any_size_have_the_features_of_their_files(workdir, model, photos, tmp_path):
    arguments = ["embed", "--workdir", str(workdir), "--data", f"folder:{photos}", "--out", str(tmp_path / "x.npz")]
    assert main(arguments) == 0
    with np.load(tmp_path / "x.npz") as file:
        names, expected = file["names"], file["features"]
    features = model.encode([np.asarray(Image.open(photos / name)) for name in names])
    np.testing.assert_allclose(features, expected, atol=1e-5)
    assert features.flags.writeable and features.dtype == np.float32  # torch.from_numpy warns of others
    assert model.step == 3 and repr(model) == "<byol at step 3: image, projector>"


@pytest.mark.slow
def test_a_batch_is_its_pictures(workdir, model):
    pictures = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    features = model.encode(pictures)
    assert features.shape == (5, 16)
    np.testing.assert_allclose(model.encode(list(pictures)), features, atol=1e-5)
    np.testing.assert_allclose(model.encode(pictures, batch_size=2), features, atol=1e-5)
    assert model.encode(pictures, tokens=True).shape == (5, 4, 16)
    student, teacher = (m.encode(pictures, readout="projector") for m in (model, jssl.load(workdir, teacher=True)))
    assert student.shape == teacher.shape == (5, 8) and np.abs(student - teacher).max() > 0.1


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (np.zeros((16, 16, 3), np.uint8), r"a list of \(H, W, 3\), not \(16, 16, 3\)"),
        (np.zeros((2, 16, 16, 3), np.float32), r"picture 0 is float32 \(16, 16, 3\); expected uint8"),
        (np.zeros((2, 3, 16, 16), np.uint8), r"picture 0 is uint8 \(3, 16, 16\)"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)], r"picture 1 is uint8 \(8, 8\)"),
        ([], "no pictures"),
        (["a cat"], "this run of byol has no tokenizer of texts"),
    ],
)
def test_what_is_no_picture_is_refused(model, pictures, message):
    with pytest.raises(ValueError, match=message):
        model.encode(pictures)


def test_a_readout_that_there_is_not(model):
    with pytest.raises(ValueError, match="byol has no readout 'text'; it has image, projector"):
        model.encode(np.zeros((1, 16, 16, 3), np.uint8), readout="text")
