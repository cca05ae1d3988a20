"""The verdict on a run, in words, with what speaks for it. Every threshold is here, with its reason."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from jssl.diagnostics.history import History

__all__ = ["VERDICTS", "Verdict", "judge"]

VERDICTS = ("healthy", "complete collapse", "dimensional collapse", "shortcut", "instability", "not learning")

POINT_STD = 0.05
"""A feature deviation below this is a point: a mean cosine of about 0.9975, two examples 4 degrees apart. MAE on photos, with its
large mean, has 0.08 and is sound; two views that attract without stop-gradient or negatives have 0.027 after 100 steps, in
the projector."""
POINT_SHARE = 0.5
"""And it must be below this share of the untrained encoder's: transformers start with much the same features for all."""
MUTE_TARGETS = 0.1
"""Nats that a target tells of its example below which the targets have collapsed, on one prototype or on all alike; a single
fair yes or no tells 0.69."""
SETTLED = 0.01
"""Nats between predictions and targets below which there is nothing to learn from targets that tell nothing. DINO without
sharpening has 0.0002 after 150 steps: its gradient is 0.3 % of the first, and k-NN is above the untrained encoder's and falls."""
FEW_PROTOTYPES = 3.0
"""A perplexity of the targets below this is a collapse on one or two prototypes, which nothing leads out of: sound targets use
tens. DINO without centring has 1.0 to 2.0 of 128 after 150 steps."""
FEW_CODES = 1.5
"""Codes that a group of a quantiser uses, below which all frames have one: nothing is left to tell apart, and a contrastive loss
that is low for it. Sound quantisers use tens."""
RANK_SHARE = 0.5
"""A RankMe below this share of the untrained encoder's is a dimensional collapse. Of the 48 measured runs of the 24 small
recipes, on CIFAR-10 and on the synthetic pictures, three are below it, at 0.20, 0.27 and 0.30; the next is at 0.97. Unless it is at
least the number of classes and k-NN has risen: noise fills all directions of an untrained network, and leaves those of one
that has learned to ignore it. MAE has 10 of 64 (untrained 28) on eight noisy patterns, with a k-NN of 74 % (51 %)."""
STANDARD_ERRORS = 2.0
"""Two accuracies differ if they do by this many standard errors of their difference."""
LOSS_FALL = 0.05
"""A loss within this share of the highest that it was has not fallen; held-out losses of one state differ by less."""
LOSS_STILL = 0.001
"""A held-out loss within this share of the untrained network's, of the same views, has not moved, and nor have the weights. Batch
norm's running statistics have: they alone took k-NN from 50 to 57 % in a run with a learning rate of 1e-7."""
LOST_SHARE = 0.8
"""A k-NN accuracy below this share of the best of the same run has been lost."""
SKIPPED = 0.01
"""Of the latest updates: a sound run skips next to none."""
SPIKES = 3
"""Jumps of loss and gradient; one or two are a bad batch."""


NO_HISTORY = History()


class Verdict(NamedTuple):
    """What is to be said of a run.

    Attributes:
      name: one of ``VERDICTS``.
      evidence: what speaks for it, one sentence each.
      cautions: what does not change it and is worth knowing.
    """

    name: str
    evidence: tuple[str, ...]
    cautions: tuple[str, ...] = ()


def judge(
    trained: Mapping[str, float],
    untrained: Mapping[str, float],
    course: History = NO_HISTORY,
    *,
    heads: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]] | None = None,
    raw_knn: float | None = None,
    examples: int,
    classes: int = 0,
) -> Verdict:
    """Weighs figures; the first of instability, collapse, lost or missing learning that they show is the verdict.

    Args:
      trained: of the encoder on held-out examples: ``feature_std``, ``mean_cosine``, ``rankme``, ``loss``, and where there
        are labels ``knn``, where there are prototypes ``target_entropy``, ``prototype_perplexity`` and ``target_kl``, and where
        there is a quantiser ``codes_per_group``.
      untrained: the same of the encoder before the first step.
      course: of the run.
      heads: name -> (trained, untrained) figures of what the method makes of the features.
      raw_knn: k-NN accuracy of the raw input.
      examples: held-out examples that the accuracies are of.
      classes: of the labels; 0 where they are not known.

    >>> before = {"feature_std": 0.3, "mean_cosine": 0.9, "rankme": 20.0, "loss": 5.0, "knn": 0.3}
    >>> judge(before | {"rankme": 50.0, "loss": 3.0, "knn": 0.6}, before, examples=1000).name
    'healthy'
    >>> judge(before | {"feature_std": 0.001, "mean_cosine": 1.0, "loss": 3.0, "knn": 0.1}, before, examples=1000).name
    'complete collapse'
    """
    better, learning = _learning(trained, untrained, raw_knn, examples)
    if found := _broken(trained, course):
        return Verdict("instability", (*found, *learning))
    points, of_heads = _points(trained, untrained), _points_of_heads(trained, heads or {})
    if few := few_named(trained) or settled(trained):
        points = [few, *points]
    if of_heads or few or (points and not better):
        return Verdict("complete collapse", (*of_heads, *points, *learning))
    cautions = list(points)
    if told := narrow(trained["rankme"], untrained["rankme"], of="untrained"):
        if not (better and classes and trained["rankme"] >= classes):
            return Verdict("dimensional collapse", (told, *learning), tuple(cautions))
        cautions.append(f"{told}; but no fewer than the {classes} classes, which k-NN tells apart better than before")
    if found := _lost(trained, course, examples):
        return Verdict("instability", (*found, *learning), tuple(cautions))
    if course.spikes:
        jumps = f"loss and gradient norm jumped {len(course.spikes)} times, last at step {course.spikes[-1]}"
        if len(course.spikes) >= SPIKES and not better:
            return Verdict("instability", (jumps, *learning), tuple(cautions))
        cautions.append(jumps)
    fell, told = _loss(trained, untrained, course)
    if better is False:
        solved = "the task is being solved, with features that are no good for anything else"
        reason = (told, solved) if fell else (told,)
        return Verdict("shortcut" if fell else "not learning", (*learning, *reason), tuple(cautions))
    if not fell and _still(trained, untrained):
        return Verdict("not learning", (f"{told}: it is where it began", *learning), tuple(cautions))
    if better is None:
        if not fell:
            return Verdict("not learning", (told,), tuple(cautions))
        cautions.append("there are no labels: a shortcut, or features that are of no use, would not show")
    spread = f"RankMe {trained['rankme']:.1f} (untrained {untrained['rankme']:.1f})"
    return Verdict(
        "healthy", (*learning, told, f"{spread}, feature deviation {trained['feature_std']:.2f}"), tuple(cautions)
    )


def _learning(trained, untrained, raw_knn, examples) -> tuple[bool | None, list[str]]:
    """Whether the features beat the untrained encoder's, None where there are no labels, and what there is to say."""
    if "knn" not in trained:
        return None, []
    knn, before = trained["knn"], untrained["knn"]
    error = math.sqrt((knn * (1 - knn) + before * (1 - before)) / examples)
    better = knn - before > STANDARD_ERRORS * error
    than = "above" if better else "not clearly above"
    told = [
        f"k-NN {_percent(knn)}, {than} the untrained encoder's {_percent(before)} (two deviations are {_percent(2 * error)})"
    ]
    if raw_knn is not None:
        told.append(f"{'above' if knn > raw_knn else 'no better than'} the raw input's {_percent(raw_knn)}")
    return better, told


def _broken(trained, course) -> list[str]:
    found = []
    if course.nonfinite:
        steps = ", ".join(map(str, course.nonfinite[:3])) + (", ..." if len(course.nonfinite) > 3 else "")
        found.append(f"loss or gradient norm was not finite at step {steps}")
    if course.skipped > SKIPPED:
        found.append(f"{_percent(course.skipped)} of the latest updates were skipped")
    if wrong := [name for name, value in trained.items() if not math.isfinite(value)]:
        found.append(f"{', '.join(wrong)} of the features are not finite")
    return found


def _points(trained, untrained) -> list[str]:
    found = mute_targets(trained), at_one_point(trained, untrained)
    return [told for told in found if told]


def _points_of_heads(trained, heads) -> list[str]:
    """The loss sees a head alone: once that says the same of all examples, nothing is learned any more, and a k-NN that is still
    above the untrained encoder's is left over."""
    # Logits of prototypes share a large mean, which the centre takes away: their targets are what tells.
    heads = {} if "target_entropy" in trained else heads
    found = [at_one_point(*pair, what=name) for name, pair in heads.items()]
    return [told for told in found if told]


def at_one_point(now: Mapping[str, float], before: Mapping[str, float] | None = None, *, what: str = "features") -> str:
    """What shows that all examples are at one point; empty if they are not.

    Args:
      now: ``feature_std`` and ``mean_cosine``.
      before: of the untrained encoder, where they are known.
      what: has collapsed.
    """
    if now["feature_std"] >= POINT_STD or (before and now["feature_std"] >= POINT_SHARE * before["feature_std"]):
        return ""
    than = f" (untrained {before['feature_std']:.4f})" if before else ""
    return f"{what} at one point: deviation {now['feature_std']:.4f}{than}, mean cosine {now['mean_cosine']:.4f}"


def few_named(now: Mapping[str, float]) -> str:
    """What shows that targets name one or two prototypes, or frames one code, in all examples; empty if they do not, or there are
    none."""
    used, codes = (now.get(name, math.inf) for name in ("prototype_perplexity", "codes_per_group"))
    if used < FEW_PROTOTYPES:
        return f"targets name {used:.1f} prototypes in all"
    return f"the quantiser uses {codes:.1f} codes of each group" if codes < FEW_CODES else ""


def mute_targets(now: Mapping[str, float]) -> str:
    """What shows that targets say nothing of their examples; empty if they do, or there are none."""
    if "target_entropy" not in now:
        return ""
    entropy, used = now["target_entropy"], now["prototype_perplexity"]
    told = math.log(max(used, 1e-30)) - entropy
    if told >= MUTE_TARGETS:
        return ""
    return (
        f"targets say {max(told, 0.0):.2f} nats of their example: entropy {entropy:.2f}, {used:.1f} prototypes in use"
    )


def settled(now: Mapping[str, float]) -> str:
    """What shows that predictions have met targets that say nothing, which ends the learning; empty if they have not."""
    apart = now.get("target_kl", math.inf)
    if apart >= SETTLED or not mute_targets(now):
        return ""
    return f"predictions are {apart:.4f} nats from targets that say nothing: nothing is left to learn"


def narrow(rank: float, reference: float, *, of: str) -> str:
    """What shows that features lost directions; empty if they did not.

    Args:
      rank: RankMe.
      reference: another one.
      of: whose that is.
    """
    return (
        f"features use few directions: RankMe {rank:.1f}, {of} {reference:.1f}" if rank < RANK_SHARE * reference else ""
    )


def _lost(trained, course, examples) -> list[str]:
    rows = [row for row in course.evaluations if row.get("knn") is not None]
    if "knn" not in trained or not rows:
        return []
    best = max(rows, key=lambda row: row["knn"])
    error = math.sqrt(2 * best["knn"] * (1 - best["knn"]) / examples)
    lost = best["knn"] - trained["knn"]
    if trained["knn"] > LOST_SHARE * best["knn"] or lost < 2 * STANDARD_ERRORS * error:
        return []
    return [f"k-NN was {_percent(best['knn'])} at step {best['step']} and is {_percent(trained['knn'])} now"]


def _loss(trained, untrained, course) -> tuple[bool, str]:
    """Against the highest: with a queue or a teacher an untrained network's loss may be the lowest of all."""
    if "loss" not in trained:
        return False, "there is no held-out loss"
    now = trained["loss"]
    highest = max(untrained.get("loss", now), now if course.highest_loss is None else course.highest_loss)
    fell = highest - now > LOSS_FALL * max(abs(highest), abs(now))
    return fell, f"the held-out loss is {now:.3f}, {'down from' if fell else 'not clearly below'} {highest:.3f}"


def _still(trained, untrained) -> bool:
    if not ("loss" in trained and "loss" in untrained):
        return False
    return abs(trained["loss"] - untrained["loss"]) <= LOSS_STILL * abs(untrained["loss"])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
