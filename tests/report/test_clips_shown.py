"""A method of clips that is not the library's: trained, drawn, embedded, evaluated and reported as one of pictures is."""

import json
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jssl import methods
from jssl.cli import main
from jssl.data import open_source, stack
from jssl.methods.method import Readout
from jssl.models.features import Features
from jssl.report import pictures
from jssl.report.load import load

METHOD = """
import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl import methods, objectives, views
from jssl.methods import encoders, networks
from jssl.methods.method import Aux, Method, Show
from jssl.methods.options import VideoInput


class Frames(nn.Module):
    @nn.compact
    def __call__(self, video):
        return nn.Dense(8)(video.reshape(len(video), -1))


@methods.register("next_frames", paper="a test", asks=("video",), reads=("video",), golden="formula")
def build(given, *, video: VideoInput = VideoInput(frames=4, size=16), encoder: object = None):
    del encoder  # whose patch_size says how masks are drawn
    nets = networks.Networks(encoder=encoders.make("video", Frames(), dtype=given.dtype), head=nn.Dense(16 * 16 * 3))
    view = video.view(given, views.mae)

    def make_views(key, example):
        mask = views.tube_mask(key, (2, 4, 4), 4)[3]
        return {"video": view(key, example), "mask": mask}

    def forward(net, batch):
        features = net("encoder", batch["video"]).pooled
        return net("head", features), features

    def init(key, batch):
        return nets.init(key, lambda net: forward(net, batch))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        prediction, pooled = forward(net, batch)
        last = batch["video"][:, -1].reshape(prediction.shape)
        return objectives.denoising_loss(prediction, last, axis_name=axis_name), Aux(networks.updates(net), {}, pooled)

    def show(params, teacher, extra, batch):
        prediction = forward(nets.frozen(params, extra), batch)[0]
        return batch["video"], prediction.reshape(-1, 16, 16, 3)

    return Method(
        "next_frames",
        frozenset({"video"}),
        make_views,
        init,
        loss,
        encoders.readouts(nets, video.prepare(given), field="video"),
        shows={"Last frame": Show("the clip, and its last frame predicted", show)},
    )
"""
RECIPE = """
from jssl.config import default_config

def get_config():
    config = default_config()
    config.imports = ("next_frames_of_mine",)
    config.method = {"name": "next_frames", "encoder": {"patch_size": 4, "tubelet": 2}}
    config.dtype, config.steps = "float32", 4
    config.data.source = "synthetic_clips:num_examples=60,frames=6,image_size=16"
    config.data.batch_size = 16
    config.run.update({"online_bank": 40, "online_queries": 12})
    return config
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    (tmp_path / "next_frames_of_mine.py").write_text(METHOD)
    (tmp_path / "recipe.py").write_text(RECIPE)
    monkeypatch.syspath_prepend(tmp_path)
    yield str(tmp_path / "recipe.py")
    methods.REGISTRY.pop("next_frames", None)


@pytest.mark.slow
def test_clips_go_through_every_command(recipe, tmp_path, capsys):
    out = tmp_path / "views.png"
    assert main(["views", "--config", recipe, "--out", str(out), "--num", "2"]) == 0
    assert "a row each: the video, then video, mask" in capsys.readouterr().out
    with Image.open(out) as picture:
        pixels = np.asarray(picture)
    side, gap = 96, 2
    columns = (pixels.shape[1] - gap) // (side + gap)
    cells = [pixels[gap : gap + side, gap + i * (side + gap) :][:, :side] for i in range(columns)]
    assert columns == 6 + 4 + 2  # the clip, what is seen of it, and a frame of each tubelet with what is hidden
    for frame, hidden in ((6, 10), (8, 11)):
        same = (cells[frame] == cells[hidden]).all(-1).reshape(4, 24, 4, 24).all((1, 3))
        dark = (cells[hidden] < 0.2 * 255).all(-1).reshape(4, 24, 4, 24).all((1, 3))
        assert same.sum() == 4 and (dark | same).all()

    run = str(tmp_path / "w")
    assert main(["pretrain", "--config", recipe, "--workdir", run, "--no-progress"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "w" / "metrics.jsonl").read_text().splitlines()]
    (online,) = [row for row in rows if "eval/knn" in row]
    assert np.isfinite(online["eval/loss"]) and 0 <= online["eval/knn"] <= 1

    data = "synthetic_clips:num_examples=20,frames=6,image_size=24"  # of another size
    assert main(["embed", "--workdir", run, "--data", data, "--out", str(tmp_path / "x.npz")]) == 0
    with np.load(tmp_path / "x.npz") as file:
        assert file["features"].shape == (24, 8) and file["class_names"][0] == "through together"

    clips = stack(open_source(data))["video"]
    np.testing.assert_allclose(
        load(run).encode(clips), np.load(tmp_path / "x.npz")["features"][:20], rtol=1e-4, atol=1e-5
    )

    assert main(["evaluate", "--workdir", run, "--protocols", "knn"]) == 0
    results = json.loads((tmp_path / "w" / "evaluation.json").read_text())["results"]
    assert results.keys() == {"encoder", "random", "raw input"}

    page = tmp_path / "page.html"
    assert main(["report", run, "--out", str(page)]) == 0
    assert "Last frame" in page.read_text() and "Nearest neighbours" in page.read_text()
    assert main(["diagnose", "--workdir", run]) in (0, 1)


@pytest.mark.slow
def test_contexts_and_targets_of_both_kinds_of_masks_are_drawn(tmp_path, capsys):
    out = tmp_path / "views.png"
    data = "--config.data.source=synthetic_clips:num_examples=10"
    assert main(["views", "--config", "vjepa:small", data, "--out", str(out), "--num", "1"]) == 0
    assert "then video, context_0, context_1, target_0, target_1" in capsys.readouterr().out
    with Image.open(out) as picture:
        pixels = np.asarray(picture)[2:98]
    cells = pixels[:, : -(pixels.shape[1] % 98)].reshape(96, -1, 98, 3)[:, :, 2:]
    assert cells.shape[1] == 8 + 8 + 4 * 4  # the clip, what is seen of it, and a frame of each tubelet for each list
    plain = cells[:, 8:16:2]  # a frame of each tubelet
    lists = cells[:, 16:].reshape(96, 4, 4, 96, 3).swapaxes(0, 1)
    shown = [(cell == plain).all(-1).reshape(4, 24, 4, 4, 24).all((1, 4)) for cell in lists]
    for context, target in zip(shown[:2], shown[2:]):
        assert context.any() and target.any() and not (context & target).any()
        assert (target == target[:, :1]).all()  # the same place in every frame


def test_the_true_flow_stands_beside_the_predicted_one():
    source = open_source("synthetic_clips:num_examples=20,frames=4,image_size=16,flow=1", "test")
    still = Readout(
        lambda example: example["video"], lambda params, extra, x: Features(None, jnp.zeros((len(x), 256, 2)))
    )
    run = SimpleNamespace(method=SimpleNamespace(readouts={"flow": still}))
    loaded = SimpleNamespace(run=run, state=SimpleNamespace(params={}, teacher=None, extra={}))
    found = pictures._of_flow(loaded, stack(source, range(2)))
    cells = found.pixels[2:98, 2:].reshape(96, 4, 98, 3)[:, :, :96]
    assert (
        np.ptp(cells[:, 2].reshape(-1, 3), axis=0).max() == 0 and np.ptp(cells[:, 3].reshape(-1, 3), axis=0).max() > 20
    )
    error, none = (part.split(" ")[0] for part in found.caption.split("error is ")[1].split("at all it is "))
    assert error == none and float(none) > 0
