"""What differs between two configs is named, and nothing else."""

import json

from jssl.differences import config_difference


def test_config_difference():
    old = {"a": 1, "b": {"c": [1, 2], "d": float("nan")}, "e": True, "f": "1", "gone": None, "g": {}}
    new = {"a": 1.0, "b": {"c": (1, 2), "d": float("nan")}, "e": 1, "f": 1, "new": {"x": 0}, "g": {}}
    assert config_difference(old, new) == [
        "e: True -> 1",
        "f: '1' -> 1",
        "gone: None -> (absent)",
        "new.x: (absent) -> 0",
    ]
    assert config_difference(old, json.loads(json.dumps(old))) == []
