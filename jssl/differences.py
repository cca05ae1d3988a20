"""What changed between two configs, field by field."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["config_difference", "differing_fields"]


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


def differing_fields(configs: Mapping[str, dict]) -> dict[str, dict[str, Any]]:
    """In which fields several configs are not all the same, compared as in ``config_difference``.

    Args:
      configs: by name; nested dicts.

    Returns:
      field -> name -> value, sorted by field; a name lacks the fields that its config has not.

    >>> differing_fields({"a": {"seed": 0, "method": {"name": "dino"}}, "b": {"seed": 0, "method": {"name": "mae"}}})
    {'method.name': {'a': 'dino', 'b': 'mae'}}
    """
    fields = {name: dict(_fields(config)) for name, config in configs.items()}
    found = {}
    for field in sorted(set().union(*fields.values())):
        has = {name: values[field] for name, values in fields.items() if field in values}
        first = next(iter(has.values()))
        if len(has) < len(fields) or not all(_same(first, value) for value in has.values()):
            found[field] = has
    return found


def _fields(config: dict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, dict) and value:
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _same(a, b) -> bool:
    return json.dumps(a, default=str) == json.dumps(b, default=str) or (a == b and bool not in (type(a), type(b)))
