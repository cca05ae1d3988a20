"""Reads tests/golden/*.npz: inputs and values of the authors' code, with the tolerance a float32 version must meet."""

import dataclasses
import functools
import json
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent / "golden"


@dataclasses.dataclass(frozen=True)
class Case:
    """One case of a golden file; arrays are named without their ``<case>/<kind>/`` prefix."""

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
    return Case(
        kinds["in"], kinds["out"], kinds["grad"], kinds["state"], meta["hyperparameters"], meta["tolerance_float32"]
    )


def assert_loss(value, reference, tolerance: dict) -> None:
    """|x - ref| <= loss_atol + loss_rtol |ref|, element by element."""
    value, reference = np.asarray(value, np.float64), np.asarray(reference, np.float64)
    assert value.shape == reference.shape, (value.shape, reference.shape)
    np.testing.assert_allclose(value, reference, rtol=tolerance["loss_rtol"], atol=tolerance["loss_atol"])


def assert_grad(value, reference, tolerance: dict) -> None:
    """max|g - ref| <= grad_atol + grad_max_rel max|ref|, per array."""
    value, reference = np.asarray(value, np.float64), np.asarray(reference, np.float64)
    assert value.shape == reference.shape, (value.shape, reference.shape)
    error = np.max(np.abs(value - reference), initial=0.0)
    bound = tolerance["grad_atol"] + tolerance["grad_max_rel"] * np.max(np.abs(reference), initial=0.0)
    assert error <= bound, f"gradient error {error:.3g} > {bound:.3g}"
