"""The page: facts and pictures of runs through one template, into one file that needs no other."""

import base64
import importlib.metadata
import io
import logging
import math
import pathlib
import platform
import pprint
from collections.abc import Sequence

import numpy as np
from PIL import Image

from jssl.differences import differing_fields
from jssl.report.compare import by_name
from jssl.report.page import charts
from jssl.report.page.facts import CURVES, Facts, read_facts

__all__ = ["write_page"]

logger = logging.getLogger(__name__)


def write_page(
    workdirs: Sequence[str], out: str | pathlib.Path, *, data: str | None = None, pictures: bool = True
) -> None:
    """Writes one HTML file about runs: verdicts and figures, curves, pictures, what differs, and how to make them again.

    Figures come from what ``jssl evaluate`` and ``jssl diagnose`` have left in the workdirs, curves from the log. Pictures are made
    here, of the newest checkpoint, on held-out examples of the run's own data.

    Args:
      workdirs: of ``jssl pretrain``.
      out: the file.
      data: another source of pictures than the one pretrained on.
      pictures: draw features, attention, neighbours and so on; otherwise no checkpoint is read.

    Raises:
      ValueError: no run in a workdir, or the extra ``report`` is not installed.
      OSError: the file cannot be written.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ValueError(f"jssl report needs {error.name}: pip install 'jssl[report]'") from error
    out = pathlib.Path(out)
    part = out.with_name(f".{out.name}.part")
    try:
        part.touch()  # before minutes are spent on pictures
    except OSError as error:
        raise OSError(f"{out} cannot be written: {error.strerror}; use another --out") from error
    try:
        part.write_text(_page(workdirs, data=data, pictures=pictures), encoding="utf-8")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _page(workdirs: Sequence[str], *, data: str | None, pictures: bool) -> str:
    import jinja2

    runs = [read_facts(name, workdir) for name, workdir in by_name(workdirs).items()]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": figure,
        "png": png,
        "columns_and_rows": columns_and_rows,
        "pretty": pprint.pformat,
    }
    return environment.get_template("page.html.jinja").render(
        title=" and ".join(run.name for run in runs) if len(runs) < 4 else f"{len(runs)} runs",
        runs=runs,
        summary=summary(runs),
        evaluated=[run for run in runs if run.evaluation],
        curves=drawn(runs),
        spectra=spectra(runs),
        differences=differing_fields({run.name: run.config for run in runs}),
        pictures={run.name: _pictures(run, data) for run in runs} if pictures else {},
        versions={name: importlib.metadata.version(name) for name in ("jax", "flax", "optax", "numpy")},
        python=platform.python_version(),
    )


def summary(runs: Sequence[Facts]) -> tuple[list[str], list[list]]:
    """What each run is, and how it ended: (columns, a row per run)."""
    rows = [
        {
            "run": run.name,
            "method": run.config["method"]["name"],
            "data": run.config["data"]["source"],
            "examples": run.data.get("num_examples"),
            "steps": run.steps,
            "loss": run.last("loss"),
            "online k-NN": run.last("eval/knn"),
            "RankMe": run.last("eval/rankme"),
            "verdict": run.diagnosis.get("verdict", "not diagnosed"),
        }
        for run in runs
    ]
    return list(rows[0]), [list(row.values()) for row in rows]


def columns_and_rows(results: dict[str, dict]) -> tuple[list[str], list[list]]:
    """(columns, rows) of what ``jssl evaluate`` wrote: a row per kind of features, a column per figure.

    >>> columns_and_rows({"encoder": {"knn": 0.9, "linear": 0.95}, "random": {"knn": 0.3}})
    (['features', 'knn', 'linear'], [['encoder', 0.9, 0.95], ['random', 0.3, None]])
    """
    names = list(dict.fromkeys(name for row in results.values() for name in row))
    return ["features", *names], [[kind, *(row.get(name) for name in names)] for kind, row in results.items()]


def drawn(runs: Sequence[Facts]) -> list[tuple[str, str]]:
    """(name, SVG) of every figure that some run has logged twice."""
    found = []
    for key, name in CURVES.items():
        lines = {run.name: run.curve(key) for run in runs}
        lines = {run: line for run, line in lines.items() if len(line[0]) > 1}
        if lines:
            ends = "; ".join(f"{run} ends at {figure(ys[-1])}" for run, (_, ys) in lines.items())
            found.append((name, charts.curves(lines, x="step", title=_quoted(f"{name} over the steps: {ends}"))))
    return found


def spectra(runs: Sequence[Facts]) -> list[tuple[str, str]]:
    """(readout, SVG) of the variances of features along their principal directions, where ``jssl diagnose`` left them."""
    readouts = list(dict.fromkeys(name for run in runs for name in run.diagnosis.get("spectrum", {})))
    found = []
    for readout in readouts:
        lines = {}
        for run in runs:
            values = [value for value in run.diagnosis.get("spectrum", {}).get(readout, []) if value]
            if len(values) > 1:
                lines[run.name] = (list(range(1, len(values) + 1)), [value / values[0] for value in values])
        if lines:
            title = _quoted(f"variance of the features of {readout} along each principal direction, of the first")
            found.append((readout, charts.curves(lines, x="direction", title=title, log=True)))
    return found


def figure(value) -> str:
    """A number as people read it; a dash for what is not there.

    >>> figure(0.123456), figure(12345.6), figure(3), figure(float("nan")), figure(1e-7), figure("as it is")
    ('0.123', '12,346', '3', '–', '1e-07', 'as it is')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def png(array: np.ndarray) -> str:
    """(H, W, 3) uint8 as a data URI."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _pictures(run: Facts, data: str | None) -> list:
    from jssl.report.pictures import draw, opened

    try:
        found = opened(run.folder, data=data)
    except (ValueError, OSError) as error:  # data that have moved, say: the rest of the page stands
        logger.warning("%s: no pictures: %s", run.name, error)
        return []
    return draw(*found)


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
