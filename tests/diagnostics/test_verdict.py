"""The verdict for every kind of fault, and for the measured runs of all small recipes."""

import json
import pathlib

import pytest

from jssl.diagnostics.history import History, history
from jssl.diagnostics.verdict import VERDICTS, judge
from jssl.diagnostics.watch import Watch

BEFORE = {"feature_std": 0.3, "mean_cosine": 0.9, "rankme": 20.0, "loss": 5.0, "knn": 0.3}
SOUND = {"feature_std": 0.6, "mean_cosine": 0.6, "rankme": 45.0, "loss": 3.0, "knn": 0.6}
POINT = {"feature_std": 0.004, "mean_cosine": 0.9999}
TARGETS = {"target_entropy": 1.0, "prototype_perplexity": 40.0}
RECORDS = pathlib.Path(__file__).parents[2] / "benchmarks" / "results"


def verdict(changes=(), course=None, **given):
    return judge(SOUND | dict(changes), BEFORE, course or History(), examples=1000, **given)


@pytest.mark.parametrize(
    ("name", "changes", "course", "evidence"),
    [
        ("healthy", {}, {}, "k-NN 60.0 %, above the untrained encoder's 30.0 %"),
        ("healthy", {"loss": 7.0}, {}, "the held-out loss is 7.000, not clearly below 7.000"),
        ("complete collapse", POINT | {"knn": 0.1}, {}, "features at one point: deviation 0.0040 (untrained 0.3000)"),
        ("dimensional collapse", {"rankme": 6.0, "knn": 0.35}, {}, "RankMe 6.0, untrained 20.0"),
        ("shortcut", {"knn": 0.31}, {}, "no good for anything else"),
        ("not learning", {"knn": 0.31, "loss": 4.9}, {}, "the held-out loss is 4.900, not clearly below 5.000"),
        ("not learning", {"knn": 0.31, "loss": 6.0}, {"highest_loss": 6.1}, "not clearly below 6.100"),
        ("not learning", {"loss": 5.001}, {}, "it is where it began"),  # whatever batch norm's statistics do to k-NN
        ("healthy", {"loss": 5.001}, {"highest_loss": 8.0}, "down from 8.000"),
        ("shortcut", {"knn": 0.31, "loss": 6.0}, {"highest_loss": 8.0}, "down from 8.000"),
        ("instability", {"rankme": float("nan")}, {}, "rankme of the features are not finite"),
        ("instability", {}, {"nonfinite": (40,)}, "not finite at step 40"),
        ("instability", {}, {"skipped": 0.3}, "30.0 % of the latest updates were skipped"),
        ("instability", {"knn": 0.3}, {"spikes": (10, 20, 30)}, "jumped 3 times, last at step 30"),
        ("instability", {"knn": 0.4}, {"evaluations": ({"step": 9, "knn": 0.6},)}, "k-NN was 60.0 % at step 9"),
    ],
)
def test_every_fault_has_its_verdict_and_its_evidence(name, changes, course, evidence):
    found = verdict(changes, History(**course))
    assert found.name == name and found.name in VERDICTS
    assert evidence in " ".join(found.evidence)


@pytest.mark.parametrize(
    "targets",
    [{"target_entropy": 0.0, "prototype_perplexity": 1.0}, {"target_entropy": 6.9, "prototype_perplexity": 1000.0}],
)
def test_targets_that_are_all_one_or_all_alike_are_a_collapse(targets):
    assert verdict(targets | {"knn": 0.3}).name == "complete collapse"
    assert verdict(TARGETS).name == "healthy"
    if targets["prototype_perplexity"] == 1.0:
        assert verdict(targets).name == "complete collapse"  # whatever k-NN says: nothing leads out of it
    else:
        assert "targets say" in verdict(targets).cautions[0]  # k-NN has risen all the same
        assert verdict(targets | {"target_kl": 0.3}).name == "healthy"
        met = verdict(targets | {"target_kl": 0.0002})
        assert met.name == "complete collapse" and "nothing is left to learn" in met.evidence[0]
    assert verdict(TARGETS | {"target_kl": 0.0002}).name == "healthy"  # of targets that say something


def test_a_quantiser_of_one_code_a_group_is_a_collapse():
    found = verdict({"codes_per_group": 1.1})
    assert found.name == "complete collapse" and "uses 1.1 codes of each group" in found.evidence[0]
    assert verdict({"codes_per_group": 20.0}).name == "healthy"


def test_as_many_directions_as_classes_are_no_collapse_if_neighbours_are_better():
    found = verdict({"rankme": 9.0}, classes=8)
    assert found.name == "healthy" and "no fewer than the 8 classes" in found.cautions[0]
    for changes, classes in (({"rankme": 7.0}, 8), ({"rankme": 9.0, "knn": 0.3}, 8), ({"rankme": 9.0}, 0)):
        assert verdict(changes, classes=classes).name == "dimensional collapse"


def test_a_head_may_collapse_alone():
    heads = {"projector": (POINT, {"feature_std": 0.3, "mean_cosine": 0.9})}
    for knn in (0.3, 0.6):  # what is left of the start may still be better than it
        found = verdict({"knn": knn}, heads=heads)
        assert found.name == "complete collapse" and found.evidence[0].startswith("projector at one point")
    assert verdict({"knn": 0.3} | TARGETS, heads=heads).name == "shortcut"  # logits of prototypes share a mean


def test_features_that_began_at_nearly_one_point_have_not_collapsed():
    narrow = {"feature_std": 0.02, "mean_cosine": 0.9995}
    assert judge(SOUND | narrow | {"knn": 0.3}, BEFORE | narrow, examples=1000).name == "shortcut"


def test_without_labels_the_loss_decides_and_the_verdict_says_what_it_cannot_see():
    before = {name: value for name, value in BEFORE.items() if name != "knn"}
    now = {name: value for name, value in SOUND.items() if name != "knn"}
    healthy = judge(now, before, examples=1000)
    assert healthy.name == "healthy" and "there are no labels" in healthy.cautions[-1]
    assert judge(now | {"loss": 4.9}, before, examples=1000).name == "not learning"
    assert judge(now | POINT, before, examples=1000).name == "complete collapse"


def test_a_difference_within_its_error_is_none():
    assert judge(SOUND | {"knn": 0.34}, BEFORE, examples=100).name == "shortcut"
    assert judge(SOUND | {"knn": 0.34}, BEFORE, examples=10_000).name == "healthy"


def recorded():
    folders = [RECORDS / "quality_cifar10", RECORDS / "quality_synthetic"]
    return [json.loads(file.read_text()) for folder in folders for file in sorted(folder.glob("*_seed0.json"))]


def test_the_measured_runs_of_the_small_recipes():
    """Of RankMe and k-NN, which the records hold; nothing else of these runs is known to be amiss."""
    rest, verdicts = {"feature_std": 0.6, "mean_cosine": 0.6}, {}
    for run in recorded():
        now, before = ({"rankme": run[which]["rankme"], "knn": run[which]["knn"]} for which in ("encoder", "random"))
        known = {"raw_knn": run["raw"]["knn"], "examples": run["num_test"], "classes": 10}
        found = judge(rest | now, rest | before, **known)
        verdicts[run["method"], run["num_test"]] = found.name
    assert len(verdicts) == 48
    narrow = {("ibot", 2000), ("ibot", 10_000), ("ijepa", 2000)}
    assert {run: name for run, name in verdicts.items() if name != "healthy"} == dict.fromkeys(
        narrow, "dimensional collapse"
    )


def test_the_log_is_read_for_what_went_wrong():
    lines = [{"step": n, "loss": 2.0 + 0.01 * (n % 3), "grad_norm": 1.0 + 0.01 * (n % 2)} for n in range(20)]
    steady, jump = lines[-1], {"step": 20, "loss": 9.0, "grad_norm": 8.0}
    assert history([*lines, jump]).spikes == (20,)
    assert history([*lines, jump | {"grad_norm": 1.0}]).spikes == ()  # a hard batch is none
    assert history([*lines, steady | {"loss": None, "nonfinite": ["loss"]}]).nonfinite == (19,)
    assert history([*lines, steady | {"eval/knn": None, "nonfinite": ["eval/knn"]}]).nonfinite == ()
    assert history(lines, stopped=25).nonfinite == (25,) and history(lines, stopped=10).nonfinite == ()
    assert history([line | {"skipped": float(line["step"] >= 10)} for line in lines]).skipped == 1.0
    assert history([]) == History() and history(lines).gradients[1] == {"step": 1, "all": 1.01}
    assert history([steady | {"grad_norm/encoder": 0.5}]).gradients == ({"step": 19, "all": 1.01, "encoder": 0.5},)


def test_the_watch_sees_a_collapse_come_and_go():
    watch, sound = Watch(), {name: SOUND[name] for name in ("feature_std", "mean_cosine", "rankme")}
    assert [watch(sound), watch.in_a_row] == ["", 0]
    assert "at one point" in watch(sound | POINT) and "at best 45.0" in watch(sound | {"rankme": 10.0})
    assert watch.in_a_row == 2 and "targets say" in watch(sound | {"target_entropy": 3.0, "prototype_perplexity": 20.5})
    assert [watch(sound | TARGETS), watch.in_a_row] == ["", 0]
    assert "targets name 1.3" in Watch()(sound | {"target_entropy": 0.1, "prototype_perplexity": 1.3})
    assert "uses 1.0 codes" in watch(sound | {"codes_per_group": 1.0}) and watch.in_a_row == 1


def test_targets_that_have_not_begun_to_say_anything_are_no_news():
    watch, sound = Watch(), {name: SOUND[name] for name in ("feature_std", "mean_cosine", "rankme")}
    undecided = {"target_entropy": 5.0, "prototype_perplexity": 150.0}
    assert watch(sound | undecided) == "" and watch(sound | TARGETS) == "" and "targets say" in watch(sound | undecided)
