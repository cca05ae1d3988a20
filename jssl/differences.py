"""What changed between two configs, field by field."""

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["config_difference"]


def config_difference(old: dict, new: dict) -> list[str]:
    """What changed between two configs, one line per field.

    Values are compared as JSON, for that is how a config is kept: a list is a tuple and NaN is NaN; 1 is 1.0, but not
    True.

    Args:
      old: nested dict.
      new: nested dict.

    Returns:
      ``"field: old -> new"``, sorted by field; empty where the two say the same.

    >>> config_difference({"optimizer": {"learning_rate": 0.3}}, {"optimizer": {"learning_rate": 0.1}, "seed": 0})
    ['optimizer.learning_rate: 0.3 -> 0.1', 'seed: (absent) -> 0']
    """
    before, after = dict(_fields(old)), dict(_fields(new))
    lines = []
    for name in sorted(before.keys() | after.keys()):
        if name in before and name in after and _same(before[name], after[name]):
            continue
        texts = [str(side[name]) if name in side else "(absent)" for side in (before, after)]
        if texts[0] == texts[1]:  # "1" and 1
            texts = [repr(side[name]) for side in (before, after)]
        lines.append(f"{name}: {texts[0]} -> {texts[1]}")
    return lines


def _fields(config: dict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, dict) and value:
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _same(a, b) -> bool:
    return json.dumps(a, default=str) == json.dumps(b, default=str) or (a == b and bool not in (type(a), type(b)))
