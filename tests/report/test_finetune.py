"""Fine-tuning starts from the run's encoder, its lower blocks move less, and a network from scratch stands beside it."""

import json
import shutil

import jax
import numpy as np
import pytest

from jssl.data import open_source
from jssl.evaluation import protocols
from jssl.report.evaluate import evaluate_run
from jssl.report.finetune import FineTuning
from jssl.report.run import load_run

DATA = "synthetic:num_examples=48,image_size=16"


def flat(tree):
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


@pytest.mark.slow
def test_what_is_trained_and_how_far(workdir):
    loaded = load_run(workdir)
    sources = {split: open_source(DATA, split) for split in ("train", "test")}
    finetune = FineTuning(loaded, sources, teacher=True)
    options = protocols.PROTOCOLS["finetune"].options | {"epochs": 1, "batch_size": 16, "seed": 0}
    options |= {"layer_decay": 1e-4, "weight_decay": 0.0, "labels": "50%"}
    del options["seeds"]
    start = flat(loaded.state.teacher["encoder"])
    moved = {}
    for pretrained in (True, False):
        score, _, (params, _) = finetune._train(pretrained=pretrained, **options)
        assert 0 <= score <= 1
        end = flat(params["encoder"])
        assert end.keys() == start.keys()
        moved[pretrained] = {name: np.abs(end[name] - start[name]).max() for name in start}
    embedding = next(name for name in start if "patch_embed" in name and "kernel" in name)
    last = next(name for name in start if name.endswith("['norm']['bias']"))
    assert (
        moved[True][embedding] < 1e-6 < 1e-5 < moved[True][last]
    )  # the end of the encoder learns ten thousand times faster
    assert moved[False][embedding] > 1e-2  # from scratch it starts elsewhere


@pytest.mark.slow
def test_the_table_has_a_supervised_row_and_earlier_figures_stay(workdir, tmp_path, capsys):
    shutil.copytree(workdir, tmp_path / "w")
    evaluate_run(str(tmp_path / "w"), protocols="collapse", data=DATA, use_teacher=False)
    report = evaluate_run(
        str(tmp_path / "w"), protocols="knn:k=1+3,finetune:epochs=1&batch_size=16", data=DATA, use_teacher=False
    )
    results, name = report["results"], "finetune[epochs=1,batch_size=16]"
    assert list(results) == ["random", "raw input", "supervised", "encoder"]
    assert all({"knn_1", "knn_3"} <= set(row) for row in results.values())
    assert [name in row for row in results.values()] == [False, False, True, True]
    assert f"| features | knn_1 | knn_3 | {name} |" in capsys.readouterr().out
    kept = json.loads((tmp_path / "w" / "evaluation.json").read_text())["results"]
    assert "rankme" in kept["encoder"] and "knn_1" in kept["encoder"] and "rankme" not in kept["supervised"]
