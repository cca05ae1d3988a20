"""`jssl plan` on CPU topologies: what it prints, what it refuses, and how it mends what does not fit."""

import json

import pytest

from jssl.cli import main
from jssl.config import load_config
from jssl.plan import examples, needs, search, topology
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
    assert plan["parts"]["teacher"] == 0 and plan["steps"] == 100 and plan["examples"] == 180
    # fsdp gathers parameters and reduce-scatters their gradients; nothing as large as a batch is gathered.
    traffic = plan["traffic"]
    assert traffic["reduce-scatter"]["count"] > 0
    assert traffic["all-gather"]["largest"] <= 4 * 128 * 512
    assert main(["plan", *SMALL, "--topology=cpu:8", "--fsdp=2"]) == 0
    out = capsys.readouterr().out
    assert "fsdp 2" in out and "| reduce-scatter," in out


def test_what_cannot_be_planned_is_said_in_one_line(capsys):
    assert "names no hardware" in refusal(capsys, "--config=quickstart")
    assert "write <chip>:<shape>" in refusal(capsys, "--config=simclr", "--topology=v5e")
    assert "did you mean 'v5e'" in refusal(capsys, "--config=simclr", "--topology=v5r:4x4")
    assert "not divisible by 8 devices" in refusal(capsys, *SMALL[:-1], "--topology=cpu:8", "--batch=12")
    assert "--num-examples" in refusal(capsys, "--config=simclr:small,cifar10", "--topology=cpu:1")
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


@pytest.fixture
def tiny():
    config = load_config("mae:small,synthetic", [word.removeprefix("--config.") for word in SMALL[1:-1]])
    config.data.batch_size = 64
    config.method.encoder.update({"depth": 8, "width": 64})
    return config, examples.foresee(config), topology.find("cpu:8")


@pytest.mark.slow
def test_what_does_not_fit_is_mended_by_the_cheapest_change(tiny):
    config, card, where = tiny
    whole = needs.plan(config, card, where)
    assert whole.fits and whole.roofline is None

    def on(memory):
        return where._replace(chip=Chip(1e12, memory, 1e11, 1e11))

    state = sum(value for name, value in whole.parts.items() if name in ("parameters", "optimiser"))
    tried = []
    slightly = on(whole.needed - state // 4)
    unmended = needs.plan(config, card, slightly)
    assert not unmended.fits and unmended.cost.chip_hours > 0
    changes, plan = search.mend(config, card, slightly, whole.needed, mfu=0.4, say=tried.append)
    assert set(changes) == {"fsdp"} and plan.fits and len(tried) <= 2
    much = on(whole.needed - state)
    changes, plan = search.mend(config, card, much, whole.needed, mfu=0.4, say=tried.append)
    assert "fsdp" not in changes or len(changes) > 1
    assert plan.fits and plan.needed < whole.needed - state
    assert search.mend(config, card, on(1000), whole.needed, mfu=0.4, say=tried.append) is None


@pytest.mark.slow
def test_the_largest_batch_is_the_last_that_fits(tiny, monkeypatch):
    config, card, where = tiny

    def plan(config, card, topology, mfu):
        if config.data.batch_size > 128:
            raise DoesNotFit(0)
        return config.data.batch_size

    monkeypatch.setattr(search, "plan", lambda *args, mfu: Fake(plan(*args, mfu)))
    said = []
    assert search.largest_batch(config, card, where, Fake(64), mfu=0.4, say=said.append).batch == 128
    assert said == ["trying a batch of 128"]


class Fake:
    """A plan that fits."""

    fits = True

    def __init__(self, batch):
        self.batch = batch
