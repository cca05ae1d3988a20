"""`jssl bench` of a tiny recipe: figures that hang together, and a trace whose operations are those of the step."""

import json

import pytest

from jssl.bench.measure import _unit
from jssl.cli import main
from jssl.config import load_config
from jssl.plan import foresee

TINY = [
    "--config=mae:small,synthetic",
    "--config.data.source=synthetic:num_examples=64",
    "--config.method.encoder.depth=1",
    "--config.method.encoder.width=32",
    "--config.data.batch_size=8",
    "--config.steps=100",
]


@pytest.mark.slow
def test_bench_times_step_and_feed_and_names_what_is_dearest(capsys, tmp_path):
    assert main(["bench", *TINY, "--steps=4", f"--profile={tmp_path}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["unit"] == "images" and found["per_step"] == 8
    assert found["rate"] == pytest.approx(8e3 / found["together"]["median"])
    assert found["step"]["low"] <= found["step"]["median"] <= found["step"]["high"]
    assert 0 < found["mfu"] < 1 and found["mfu"] == pytest.approx(found["model"] * found["rate"] / 8 / found["ceiling"])
    assert found["bottleneck"] == ("feed" if found["feed"]["median"] > found["step"]["median"] else "step")
    assert found["compile_seconds"] > 0 and found["peak"] > 0
    dearest = found["dearest"]
    assert len(dearest) == 10 and dearest[0]["milliseconds"] >= dearest[-1]["milliseconds"] > 0
    assert sum(one["share"] for one in dearest) <= 1 and list(tmp_path.rglob("*.xplane.pb"))


def test_bench_of_one_step_is_refused(capsys):
    assert main(["bench", *TINY, "--steps=1"]) == 2
    assert "time at least 2" in capsys.readouterr().err


def test_tokens_are_counted_where_there_are_tokens():
    assert _unit(foresee(load_config("causal_lm:gpt2", []), 1000)) == ("tokens", 1025)
