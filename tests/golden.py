"""Reads tests/golden/*.npz: inputs and values of the authors' code, with the tolerance a float32 version must meet.

The asserts note how much of its tolerance each comparison used; tests/conftest.py prints that as a table, the parity
report, at the end of ``pytest -m golden``.
"""

import dataclasses
import functools
import json
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "golden"


@dataclasses.dataclass(frozen=True)
class Case:
    """One case of a golden file; arrays are named without their ``<case>/<kind>/`` prefix.

    Beside the bounds, ``tolerance`` names the golden file and the case, so that a comparison knows what it is of.
    """

    inputs: dict
    out: dict
    grad: dict
    state: dict
    hyper: dict
    tolerance: dict


@functools.cache
def _index() -> dict:
    return json.loads((FOLDER / "index.json").read_text())["objectives"]


def cases(objective: str) -> list[str]:
    """The case names of a golden file, e.g. ``cases("moco_queue")``."""
    return list(_index()[objective]["cases"])


def load(objective: str, case: str) -> Case:
    """Reads one case."""
    kinds: dict = {"in": {}, "out": {}, "grad": {}, "state": {}}
    with np.load(FOLDER / f"{objective}.npz") as arrays:
        for key in arrays.files:
            name, kind, rest = key.split("/", 2)
            if name == case:
                kinds[kind][rest] = arrays[key]
    meta = _index()[objective]["cases"][case]
    tolerance = {**meta["tolerance_float32"], "objective": objective, "case": case}
    return Case(kinds["in"], kinds["out"], kinds["grad"], kinds["state"], meta["hyperparameters"], tolerance)


def assert_loss(value, reference, tolerance: dict) -> None:
    """|x - ref| <= loss_atol + loss_rtol |ref|, element by element."""
    value, reference = np.asarray(value, np.float64), np.asarray(reference, np.float64)
    assert value.shape == reference.shape, (value.shape, reference.shape)
    bound = tolerance["loss_atol"] + tolerance["loss_rtol"] * np.abs(reference)
    _record("loss", np.abs(value - reference), bound, tolerance)
    np.testing.assert_allclose(value, reference, rtol=tolerance["loss_rtol"], atol=tolerance["loss_atol"])


def assert_grad(value, reference, tolerance: dict) -> None:
    """max|g - ref| <= grad_atol + grad_max_rel max|ref|, per array."""
    value, reference = np.asarray(value, np.float64), np.asarray(reference, np.float64)
    assert value.shape == reference.shape, (value.shape, reference.shape)
    error = np.max(np.abs(value - reference), initial=0.0)
    bound = tolerance["grad_atol"] + tolerance["grad_max_rel"] * np.max(np.abs(reference), initial=0.0)
    _record("grad", error, bound, tolerance)
    assert error <= bound, f"gradient error {error:.3g} > {bound:.3g}"


_records: list[dict] = []


def _record(kind: str, error, bound, tolerance: dict) -> None:
    """Notes the element that comes nearest to its bound, or furthest over it. Bounds of no golden file are not noted."""
    error, bound = np.ravel(error), np.ravel(bound)
    if "objective" not in tolerance or not error.size:
        return
    ratio = np.divide(error, bound, where=bound > 0, out=np.where(error > 0, np.inf, 0.0))
    ratio[np.isnan(error)] = np.inf
    worst = int(ratio.argmax())
    source = {"objective": tolerance["objective"], "case": tolerance["case"]}
    numbers = {"ratio": float(ratio[worst]), "error": float(error[worst]), "bound": float(bound[worst])}
    _records.append({**source, "kind": kind, **numbers})


def take_records() -> list[dict]:
    """What was noted since the last call: dicts of plain values, so that a test process can send them to another."""
    taken = _records[:]
    _records.clear()
    return taken


def parity_report(records: list[dict]) -> list[str]:
    """The lines of a table: per golden file its cases, and the worst loss and gradient error beside their bounds."""
    rows = [("golden file", "cases", "loss error", "bound", "used", "gradient error", "bound", "used")]
    for objective in sorted({r["objective"] for r in records}):
        own = [r for r in records if r["objective"] == objective]
        row = (objective, str(len({r["case"] for r in own})))
        for kind in ("loss", "grad"):
            worst = max((r for r in own if r["kind"] == kind), key=lambda r: r["ratio"], default=None)
            row += (f"{worst['error']:.1e}", f"{worst['bound']:.1e}", f"{worst['ratio']:.1%}") if worst else ("-",) * 3
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
