"""What the files of a run say about it. Nothing is computed here, and the run itself is not loaded."""

import dataclasses
import math
import pathlib

from jssl.config import read_object
from jssl.train.metrics import read_metrics

__all__ = ["Facts", "read_facts"]

CURVES = {
    "loss": "loss",
    "eval/loss": "held-out loss",
    "eval/knn": "online k-NN accuracy",
    "eval/rankme": "RankMe of held-out features",
    "eval/feature_std": "deviation of held-out features",
    "embedding_std": "spread of the embedding (1 is full)",
    "grad_norm": "gradient norm",
    "learning_rate": "learning rate",
}
"""Figures of metrics.jsonl that are drawn over the steps, and what they are called."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """One run.

    Attributes:
      name: what the page calls it.
      folder: where it is.
      config: nested, as written.
      data: as written: spec, about, number of examples.
      metrics: lines of metrics.jsonl.
      evaluation: of ``jssl evaluate``, or {}.
      diagnosis: of ``jssl diagnose``, or {}.
    """

    name: str
    folder: pathlib.Path
    config: dict
    data: dict
    metrics: list[dict]
    evaluation: dict
    diagnosis: dict

    def curve(self, figure: str) -> tuple[list[int], list[float]]:
        """(steps, values) of one figure."""
        rows = [(row["step"] + 1, row[figure]) for row in self.metrics if isinstance(row.get(figure), int | float)]
        return [step for step, _ in rows], [value for _, value in rows]

    def last(self, figure: str) -> float:
        """Its newest value; NaN where it was never written."""
        values = self.curve(figure)[1]
        return values[-1] if values else math.nan

    @property
    def steps(self) -> int:
        """How many were done."""
        return max((row["step"] + 1 for row in self.metrics), default=0)


def read_facts(name: str, workdir: str | pathlib.Path) -> Facts:
    """What is known of the run in ``workdir``, which is called ``name``.

    Raises:
      ValueError: no run there, or a file of it is damaged.
    """
    folder = pathlib.Path(workdir).expanduser()
    for file in ("config.json", "data.json"):
        if not (folder / file).is_file():
            raise ValueError(f"no run in {workdir}: {file} is missing; give the workdirs of jssl pretrain")
    return Facts(
        name=name,
        folder=folder,
        config=read_object(folder / "config.json"),
        data=read_object(folder / "data.json"),
        metrics=read_metrics(folder) if (folder / "metrics.jsonl").is_file() else [],
        evaluation=_found(folder / "evaluation.json"),
        diagnosis=_found(folder / "diagnosis.json"),
    )


def _found(path: pathlib.Path) -> dict:
    return read_object(path) if path.is_file() else {}
