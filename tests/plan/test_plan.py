"""`jssl plan` on CPU topologies: what it prints, what it refuses, and how it mends what does not fit."""

import json

import pytest

from jssl.cli import main
from jssl.config import load_config
from jssl.plan import examples, needs, report, search, topology
from jssl.plan.chips import Chip
from jssl.plan.compiled import DoesNotFit

SMALL = [
    "--config=mae:small,synthetic",
    "--config.data.source=synthetic:num_examples=200",
    "--config.method.encoder.depth=2",
    "--config.optimizer.name=adamw",
    "--config.steps=100",
    "--batch=32",
]


def refusal(capsys, *arguments: str) -> str:
    assert main(["plan", *arguments]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.mark.slow
def test_the_parts_of_a_plan_add_up(capsys):
    assert main(["plan", *SMALL, "--topology=cpu:8", "--fsdp=2", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["fits"] and plan["chips"] == 8 and plan["mesh"] == {"data": 4, "fsdp": 2}
    assert sum(plan["parts"].values()) == plan["needed"] and plan["parts"]["activations"] > 0
    parameters = plan["parts"]["parameters"]
    assert 2 * parameters <= plan["parts"]["optimiser"] < 2.1 * parameters  # AdamW's two moments
    assert plan["parts"]["teacher"] == 0 and plan["steps"] == 100 and plan["examples"] == 200
    # All that was counted is done, and little else: views, and the norms of the gradient.
    assert 1 <= plan["executed"] / plan["model"] < 1.1
    # fsdp gathers parameters and reduce-scatters their gradients; nothing as large as a batch is gathered.
    traffic = plan["traffic"]
    assert traffic["reduce-scatter"]["count"] > 0
    assert traffic["all-gather"]["largest"] <= 4 * 128 * 512


def test_what_cannot_be_planned_is_said_in_one_line(capsys):
    assert "names no hardware" in refusal(capsys, "--config=quickstart", "--config.run.hardware=")
    assert "write <chip>:<shape>" in refusal(capsys, "--config=simclr", "--topology=v5e")
    assert "did you mean 'v5p'" in refusal(capsys, "--config=simclr", "--topology=v5r:4x4")
    assert "not divisible by 8 devices" in refusal(capsys, *SMALL[:-1], "--topology=cpu:8", "--batch=12")
    assert "--num-examples" in refusal(capsys, "--config=simclr:small,cifar10", "--topology=cpu:1")
    assert "memory of cpu:8 is not known" in refusal(capsys, *SMALL, "--topology=cpu:8", "--largest")
    assert "mfu=2.0" in refusal(capsys, *SMALL, "--topology=cpu:8", "--mfu=2")


def test_without_libtpu_the_extra_is_named(capsys, monkeypatch):
    monkeypatch.setattr(topology.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'jssl[tpu]'" in refusal(capsys, "--config=mae:vit_base", "--topology=v5e:4x4")


@pytest.mark.parametrize(
    ("recipe", "fields"),
    [
        ("supervised:small,cifar10", {"image": (256, 256, 3), "size": (2,), "label": ()}),
        ("causal_lm:gpt2", {"tokens": (1025,), "segments": (1025,)}),
        ("clip:vit_base", {"image": (256, 256, 3), "size": (2,), "captions": (1, 128)}),
    ],
)
def test_examples_are_foreseen_without_the_data(recipe, fields):
    card = examples.foresee(load_config(recipe, []), 1000)
    assert {name: field.shape for name, field in card.spec.items()} == fields and card.num_examples == 1000


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("video:gone", {"video": (16, 256, 256, 3), "size": (2,)}),
        ("video:gone?frames=8&image_size=64", {"video": (8, 64, 64, 3), "size": (2,)}),
        (
            "video:gone?frames=8&image_size=64&fps=10&sound=8000",
            {"video": (8, 64, 64, 3), "size": (2,), "audio": (6400,), "length": ()},
        ),
        ("audio:gone", {"audio": (160_000,), "length": ()}),
        ("audio:gone?rate=8000&seconds=0.5", {"audio": (4000,), "length": ()}),
    ],
)
def test_clips_and_sounds_are_foreseen_by_the_options_of_their_source(source, fields):
    card = examples.foresee(load_config("mae:small", [f"data.source={source}"]), 1000)
    assert {name: field.shape for name, field in card.spec.items()} == fields


@pytest.fixture
def foreseen(monkeypatch):
    """A run, and what its step would need if only fsdp, remat, parts and batch mattered: the compiler is asked by a slow test."""
    config = load_config("mae:small,synthetic", [word.removeprefix("--config.") for word in SMALL[1:-1]])
    config.data.batch_size = 64
    tried = []

    def state(config, card, topology, fsdp, size):
        return 2**22 + 2**23 // fsdp

    def plan(config, card, topology, mfu):
        tried.append(needs.setting(config))
        kept = {"none": 1.0, "dots": 0.6, "full": 0.3}[tried[-1]["remat"]]
        needed = (
            state(config, card, topology, config.fsdp, 0) + kept * 2**17 * config.data.batch_size / config.accumulate
        )
        if needed > topology.chip.memory:
            raise DoesNotFit(int(needed))
        return Fits(config, needed)

    monkeypatch.setattr(search, "plan", plan)
    monkeypatch.setattr(search, "_state", state)
    return config, examples.foresee(config), tried


class Fits:
    """A plan."""

    fits = True

    def __init__(self, config, needed):
        self.setting, self.needed = needs.setting(config), needed


@pytest.mark.slow
def test_what_does_not_fit_is_mended_by_the_cheapest_change(foreseen):
    config, card, tried = foreseen
    mib = 2**20  # 12 of state and 8 of activations
    expected = {
        16: {"fsdp": 2},
        13: {"fsdp": 8},
        10: {"fsdp": 8, "method.encoder.remat": "dots"},
        8: {"fsdp": 8, "method.encoder.remat": "full"},
        6.5: {"fsdp": 8, "method.encoder.remat": "full", "accumulate": 2},
        5: None,
    }
    for memory, changes in expected.items():
        where = topology.find("cpu:8")._replace(chip=Chip(1e12, memory * mib, 1e11, 1e11))
        with pytest.raises(DoesNotFit) as short:
            search.plan(config, card, where, mfu=0.4)
        mended = search.mend(config, card, where, short.value.needed, mfu=0.4, say=lambda line: None)
        assert (mended and mended[0]) == changes
        if mended:
            assert mended[1].needed <= memory * mib
            line = report.too_little("mae", where.name, short.value.needed, memory * mib, mended)
            assert line.startswith("mae needs 20.00 MiB a device") and search.told(changes) in line


def test_the_largest_batch_is_the_last_doubling_that_fits(foreseen):
    config, card, _ = foreseen
    where = topology.find("cpu:8")._replace(chip=Chip(1e12, 2**25, 1e11, 1e11))
    fitting = search.plan(config, card, where, mfu=0.4)
    said = []
    assert search.largest_batch(config, card, where, fitting, mfu=0.4, say=said.append).setting["batch_size"] == 128
    assert said == ["trying a batch of 128"]  # 256 are more than there are examples
