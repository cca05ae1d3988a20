"""What all studies share: rows, each a run of its own, what is measured of each, and a table of them."""

import contextlib
import dataclasses
import importlib
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ml_collections import ConfigDict

from jssl.config import load_config, read_object, set_key
from jssl.data import open_source
from jssl.differences import config_difference
from jssl.evaluation import protocols as suite
from jssl.evaluation.words import parse
from jssl.hints import nearest
from jssl.report.finetune import FineTuning
from jssl.report.run import Loaded
from jssl.train.loop import pretrain
from jssl.train.workdir import write_json

__all__ = ["Row", "Run", "Study", "evaluated", "find", "run_study", "sources"]

FILE = "study.json"
"""In the folder of a row: what was found. A row that has it is not run again."""


class Row(Protocol):
    """A run of a study."""

    @property
    def name(self) -> str:
        """Of the row, and of its folder."""

    def config(self) -> ConfigDict:
        """Of its run."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A row that is a recipe with changes.

    Attributes:
      name: see ``Row``.
      says: what it is, in words.
      recipe: as ``jssl pretrain --config`` takes it.
      changes: ``key=value`` of the config.
      on: the source that it is measured on; its own if None.

    >>> Run("mae", "MAE", "mae:small,synthetic", ("steps=3",)).config().steps
    3
    """

    name: str
    says: str
    recipe: str
    changes: tuple[str, ...] = ()
    on: str | None = None

    def config(self) -> ConfigDict:
        """Of its run."""
        return load_config(self.recipe, list(self.changes))


@dataclasses.dataclass(frozen=True)
class Study:
    """A question, and how it is answered.

    Attributes:
      rows: (data, full) -> its rows: on another source than its own unless that is None, and of the full size or the small.
      measure: (row, folder of its finished run) -> figures, as JSON.
      table: what ``run_study`` returns -> Markdown.
      line: figures of a row -> what is told when it is finished.
      together: (figures of all rows, folder of the study) -> figures that take several rows.
      around: a context that runs and measures take place in.
    """

    rows: Callable[[str | None, bool], Sequence[Any]]
    measure: Callable[[Any, pathlib.Path], dict]
    table: Callable[[dict], str]
    line: Callable[[dict], str]
    together: Callable[[list[dict], pathlib.Path], dict] = lambda found, folder: {}
    around: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext


def find(name: str) -> Study:
    """The study of that name, ``STUDY`` of the module that is called like it."""
    return importlib.import_module(f"jssl.study.{name.replace('-', '_')}").STUDY


def run_study(
    study: Study,
    workdir: str,
    names: Sequence[str] = (),
    *,
    data: str | None = None,
    full: bool = False,
    overrides: Sequence[str] = (),
    tell: Callable[[str], None] = print,
) -> dict:
    """Trains and measures rows that are not finished yet; the same call continues where it stopped.

    Args:
      study: which.
      workdir: has a folder, a workdir of ``jssl pretrain``, for each row.
      names: of rows; all of them if empty.
      data: another source than the study's own.
      full: the recipes of the papers, for an accelerator.
      overrides: ``key=value`` of the config of every row.
      tell: is given a line for each row that is finished.

    Returns:
      ``rows``, a dict for each, with its ``name``; and what the study tells of several rows.

    Raises:
      ValueError: no such row, a folder with another run in it, or what ``pretrain`` raises.
      SystemExit: a signal stopped a run, after saving; it has the code of ``pretrain``.
    """
    folder = pathlib.Path(workdir).expanduser()
    known = {row.name: row for row in study.rows(data, full)}
    for name in names:
        if name not in known:
            raise ValueError(f"the study has no row {name!r}{nearest(name, known)}")
    found = []
    with study.around():
        for row in [known[name] for name in names] or known.values():
            found.append(_finished(study, row, folder / row.name, overrides))
            tell(f"{row.name}: {study.line(found[-1])}")
        return {"rows": found, **study.together(found, folder)}


def _finished(study: Study, row: Row, folder: pathlib.Path, overrides: Sequence[str]) -> dict:
    config = row.config()
    for override in overrides:
        set_key(config, *override.split("=", 1))
    if (folder / FILE).exists():
        _check_same(config, folder)
        return read_object(folder / FILE)
    if code := pretrain(config, str(folder), progress=False):
        raise SystemExit(code)
    found = {"name": row.name, **study.measure(row, folder)}
    write_json(folder / FILE, found)
    return found


def _check_same(config: ConfigDict, folder: pathlib.Path) -> None:
    """ValueError if the finished run in a folder is another one than that of the config."""
    file = folder / "config.json"
    old, new = (
        {key: value for key, value in asked.items() if key != "run"}
        for asked in (read_object(file) if file.exists() else config.to_dict(), config.to_dict())
    )
    if changed := config_difference(old, json.loads(json.dumps(new))):
        raise ValueError(
            f"{folder} holds another run ({'; '.join(changed)}); use another --workdir, or delete the folder"
        )


def sources(loaded: Loaded, data: str | None = None) -> dict:
    """The splits that a run is measured on: "train" and "test" of its own data, or of others."""
    return {split: open_source(data or loaded.run.config.data.source, split) for split in ("train", "test")}


def evaluated(loaded: Loaded, protocols: str, splits: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Figures of a run, and of its encoder before training, as ``jssl evaluate`` has them.

    Args:
      loaded: the run; its teacher is read where the method's paper does.
      protocols: as ``jssl evaluate`` takes them.
      splits: "train" and "test" -> source.

    Returns:
      ``random`` and ``encoder`` -> figure -> value.
    """
    teacher = loaded.run.method.reads_teacher
    tuned = [asked for asked in parse(protocols) if asked.name == "finetune"]
    finetune = FineTuning(loaded, splits, teacher=teacher) if tuned else None
    subjects = {
        "random": loaded.encoder(splits, trained=False, teacher=teacher),
        "encoder": loaded.encoder(splits, teacher=teacher, finetune=finetune),
    }
    return suite.evaluate(subjects, protocols=protocols)
