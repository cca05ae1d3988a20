"""What a checkpoint says about itself: the caller's meta, and name, shape, dtype and fingerprint of each leaf."""

import collections
import hashlib
import importlib.metadata
import json
import math
import platform
from typing import Any

import jax

_LIBRARIES = ("jssl", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
_SHOWN = 5  # names in one error line


def make(step: int, leaves: dict, marks: dict[str, str], meta: dict, metrics: dict | None) -> dict:
    """The record of one checkpoint, as JSON under its own hash: a flipped bit must not pass for another config."""
    numbers = {name: float(value) for name, value in (metrics or {}).items()}
    record = {
        "meta": {
            "versions": _versions(),
            **meta,
            "metrics": {name: value if math.isfinite(value) else None for name, value in numbers.items()},
            "step": step,
        },
        "leaves": {name: {**_describe(leaf), "fingerprint": marks[name]} for name, leaf in leaves.items()},
    }
    try:
        record = json.loads(json.dumps(record))  # what is hashed is what will be read: tuples are lists from here on
    except TypeError as error:
        raise ValueError(f"checkpoint: meta must be JSON: {one_line(error)}") from error
    return {"jssl": record, "sha256": _hash(record)}


def check(sealed: dict) -> dict:
    """The record inside what ``make`` returned; ValueError if its bits have changed."""
    if _hash(sealed["jssl"]) != sealed["sha256"]:
        raise ValueError("its bits have changed")
    return sealed["jssl"]


def mismatch(recorded: dict, wanted: dict) -> list[str]:
    """How the leaves of a record differ from those that are wanted: shapes, dtypes, leaves on one side only."""

    def text(described):
        return f"{described['dtype']}{tuple(described['shape'])}"

    both = {name: (text(recorded[name]), text(_describe(leaf))) for name, leaf in wanted.items() if name in recorded}
    groups = {
        "": [f"{name} is {old} in the checkpoint and {new} here" for name, (old, new) in both.items() if old != new],
        "only in the checkpoint: ": recorded.keys() - wanted.keys(),
        "only here: ": wanted.keys() - recorded.keys(),
    }

    def depth(name):  # short paths first: a parameter says more than the optimiser's copies of it
        return name.count("/"), name

    return [where + some(sorted(names, key=depth)) for where, names in groups.items() if names]


def named_leaves(tree) -> dict[str, Any]:
    """Path -> leaf. No container is named, so NamedTuples and empty nodes of any tree need no care on disk."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree)
    named = [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in pairs]
    if twice := [name for name, n in collections.Counter(name for name, _ in named).items() if n > 1]:
        raise ValueError(f"checkpoint: two leaves of the state share a name: {some(twice)}; rename one")
    return dict(named)


def some(items: list) -> str:
    """The first few, and how many more."""
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(map(str, items[:_SHOWN])) + more


def one_line(error: BaseException) -> str:
    """The first cause in one line: Orbax wraps whatever went wrong in the same sentence."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _describe(leaf) -> dict:
    return {"shape": list(leaf.shape), "dtype": str(leaf.dtype)}


def _hash(record: dict) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # run from a checkout
            continue
    return versions
