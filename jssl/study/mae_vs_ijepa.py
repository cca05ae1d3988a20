"""``jssl study mae-vs-ijepa``: pixels or features as what is predicted, for the same computation."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict
from scipy import stats
from scipy.cluster.vq import ClusterError, kmeans2

from jssl.data import stack
from jssl.diagnostics import linear_cka
from jssl.objectives import l2_normalize
from jssl.plan.compiled import model_flops
from jssl.plan.examples import foresee
from jssl.report.attention import attention, attention_distance, vit_of
from jssl.report.evaluate import table
from jssl.report.run import load_run
from jssl.study.frame import Run, Study, evaluated, sources
from jssl.train import setup

__all__ = ["STUDY", "agreement_with_classes"]

DATA = "synthetic:num_examples=2000"
STEPS = 600
"""Of MAE; I-JEPA takes as many as the same number of floating-point operations holds."""
PROTOCOLS = "knn,linear,attentive,few_labels:n=10"
SHOWN = 64
"""Pictures whose attention is read."""
FILE = "layers.npz"


@dataclasses.dataclass(frozen=True)
class Matched(Run):
    """A row with as many steps as the computation of another's holds.

    Attributes:
      to: the other row.
    """

    to: Run | None = None

    def config(self) -> ConfigDict:
        """Of its run."""
        config = super().config()
        if self.to:
            own, _ = work(Run(self.name, self.says, self.recipe, self.changes))
            other, steps = work(self.to)
            config.steps = max(1, round(other * steps / own))
        return config


@functools.cache
def work(run: Run) -> tuple[int, int]:
    """Floating-point operations of a step, as ``jssl plan`` counts them, and steps."""
    config = run.config()
    card = foresee(config)
    return model_flops(config, card), setup.resolve_lengths(config, card.num_examples).steps


def rows(data: str | None, full: bool) -> Sequence[Run]:
    """MAE, and I-JEPA for as many floating-point operations."""
    backbone = "vit_tiny,cifar10" if full else "small,synthetic"
    at = () if full and not data else (f"data.source={data or DATA}",)
    length = () if full else (f"steps={STEPS}", "run.eval_every=0")
    mae = Run("mae", "MAE", f"mae:{backbone}", (*at, *length))
    return mae, Matched("ijepa", "I-JEPA", f"ijepa:{backbone}", (*at, *length[1:]), to=mae)


def measure(row: Run, folder: pathlib.Path) -> dict:
    """What is found of a run, of the encoder that the paper reads: MAE's, and the teacher of I-JEPA.

    Returns:
      ``says``, ``steps``, ``flops`` of all of them; ``figures`` and ``untrained``, of protocols and ``nmi``, see
      ``agreement_with_classes``; ``attention_distance``, one for each block, pixels, and ``heads_apart``, the deviation over its
      heads. The features of the blocks are in ``layers.npz``.
    """
    loaded = load_run(folder)
    splits, teacher = sources(loaded, row.on), loaded.run.method.reads_teacher
    figures = evaluated(loaded, PROTOCOLS, splits)
    labels, classes = None, len(splits["test"].about.class_names)
    layers = {}
    vit, params = vit_of(loaded, teacher=teacher)
    assert vit is not None
    for name, key in (("encoder", "figures"), ("random", "untrained")):
        encoder = loaded.encoder(splits, trained=name == "encoder", teacher=teacher)
        features = encoder.features("test", f"last{vit.depth}")
        layers[key] = features.reshape(len(features), vit.depth, -1)
        labels = encoder.field("test", "label")
        figures[name]["nmi"] = agreement_with_classes(encoder.features("test"), labels, classes)
    trained, untrained = (layers[name].astype(np.float16) for name in ("figures", "untrained"))
    np.savez_compressed(folder / FILE, figures=trained, untrained=untrained)
    pictures = stack(splits["test"], range(min(SHOWN, len(splits["test"]))))
    readout = loaded.run.method.readouts["image"]
    fields = {name: value for name, value in pictures.items() if name in ("image", "size")}
    images = jax.jit(jax.vmap(readout.prepare))(fields)
    weights = jax.jit(lambda images: attention(vit, params, images))(images)
    apart = attention_distance(weights, patch_size=vit.patch_size)
    config = loaded.run.config
    return {
        "says": row.says,
        "steps": config.steps,
        "flops": config.steps * model_flops(config, loaded.run.card),
        "figures": figures["encoder"],
        "untrained": figures["random"],
        "attention_distance": apart.mean(1).tolist(),
        "heads_apart": apart.std(1).tolist(),
    }


def agreement_with_classes(features: np.ndarray, labels: np.ndarray, classes: int, *, draws: int = 10) -> float:
    """Normalised mutual information of the classes and as many clusters: what k-means finds without labels.

    Args:
      features: (N, D), scaled to length one here.
      labels: (N,) integers.
      classes: C, and clusters.
      draws: starts of k-means, from random examples, of which the tightest counts.

    Returns:
      From 0 to 1, over the arithmetic mean of both entropies, as scikit-learn has it.

    >>> round(agreement_with_classes(np.repeat(np.eye(2), 4, 0), np.repeat([0, 1], 4), 2), 6)
    1.0
    """
    rows = np.asarray(l2_normalize(jnp.asarray(features)), np.float64)

    def clusters(seed: int) -> tuple[float, np.ndarray]:
        start = rows[np.random.default_rng(seed).choice(len(rows), classes, replace=False)]
        try:
            centres, chosen = kmeans2(rows, start, iter=50, minit="matrix", missing="raise")
        except ClusterError:  # two starts were at one point
            return np.inf, np.zeros(len(rows), int)
        return float(((rows - centres[chosen]) ** 2).sum()), chosen

    _, chosen = min((clusters(seed) for seed in range(draws)), key=lambda found: found[0])
    counts = stats.contingency.crosstab(labels, chosen).count
    first, second, both = (stats.entropy(n.ravel()) for n in (counts.sum(1), counts.sum(0), counts))
    return float(2 * (first + second - both) / (first + second)) if first + second else 0.0


def together(found: list[dict], folder: pathlib.Path) -> dict:
    """``cka``: pair of encoders -> linear CKA, (blocks of the first) x (blocks of the second), on the test pictures."""
    layers = {}
    for row in found:
        with np.load(folder / row["name"] / FILE) as arrays:
            layers[row["says"]] = arrays["figures"].astype(np.float32)
            layers[f"{row['says']} untrained"] = arrays["untrained"].astype(np.float32)
    names = [row["says"] for row in found]
    pairs = [(names[0], names[1])] if len(names) > 1 else []
    pairs += [(name, f"{name} untrained") for name in names]
    return {
        "cka": {
            f"{first} and {second}": [
                [linear_cka(layers[first][:, i], layers[second][:, j]) for j in range(layers[second].shape[1])]
                for i in range(layers[first].shape[1])
            ]
            for first, second in pairs
        }
    }


def markdown(found: dict) -> str:
    """Figures of both, of their untrained encoders; attention and similarity block by block."""
    shown: dict[str, dict[str, Any]] = {}
    for row in found["rows"]:
        told = {"steps": row["steps"], "TFLOP": row["flops"] / 1e12}
        shown[row["says"]] = told | _percent(row["figures"])
        shown[f"{row['says']}, untrained"] = _percent(row["untrained"])
    parts = [table(shown, head="% (NMI too)")]
    blocks = {}
    for row in found["rows"]:
        spread = zip(row["attention_distance"], row["heads_apart"])
        blocks[f"{row['says']}: attention distance, pixels (deviation over heads)"] = {
            f"block {i}": f"{mean:.1f} ({apart:.1f})" for i, (mean, apart) in enumerate(spread, 1)
        }
    for pair, matrix in found["cka"].items():
        blocks[f"CKA of {pair}, same block"] = {
            f"block {i}": f"{matrix[i - 1][i - 1]:.2f}" for i in range(1, 1 + min(len(matrix), len(matrix[0])))
        }
    return "\n\n".join([*parts, table(blocks, head="block by block")])


def _percent(figures: dict[str, float]) -> dict[str, Any]:
    told = {name: value for name, value in figures.items() if not name.startswith(("linear_", "attentive_"))}
    return {name: 100 * value for name, value in told.items()}


def _line(row: dict) -> str:
    return f"k-NN {100 * row['figures']['knn']:.1f} %, {row['steps']} steps"


STUDY = Study(rows, measure, markdown, _line, together)
