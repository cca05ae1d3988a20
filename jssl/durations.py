"""Lengths of a run in any unit: steps, epochs, examples or a share of the run.

A config says how long something takes in the unit that people think in. ``parse`` reads it; ``resolve`` turns it into
steps once batch size and data are known, so that what is given in epochs stays right when the batch size changes.
"""

import math
import re
from typing import NamedTuple

__all__ = ["UNITS", "Duration", "parse", "resolve"]

UNITS = ("steps", "epochs", "examples", "%")
"""Every unit; ``step``, ``epoch`` and ``example`` are understood too."""

_ALIASES = {alias: unit for unit in UNITS for alias in (unit, unit.removesuffix("s"))}
# Commas only between thousands: whoever writes "1,5 epochs" does not mean 15.
_TEXT = re.compile(r"((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e\d{1,2})?|\.\d+)\s*([a-z]+|%|)")


class Duration(NamedTuple):
    """A length and its unit.

    Attributes:
      value: at least 0; an int where the unit is ``steps``.
      unit: one of ``UNITS``.
    """

    value: float
    unit: str


def parse(text: str | int) -> Duration:
    """Reads a length: a number of steps, or a number with a unit.

    Args:
      text: ``100``, ``"100"``, ``"100 steps"``, ``"1 epoch"``, ``"0.5epochs"``, ``"12,000 examples"``, ``"5 %"``.

    Returns:
      A ``Duration``.

    Raises:
      ValueError: negative, an unknown unit, a fraction of a step, a float without a unit, or no length at all.

    >>> parse(100), parse("10 epochs")
    (Duration(value=100, unit='steps'), Duration(value=10.0, unit='epochs'))
    >>> parse("5%"), parse("12,000 examples")
    (Duration(value=5.0, unit='%'), Duration(value=12000.0, unit='examples'))
    >>> parse("3 weeks")
    Traceback (most recent call last):
    ...
    ValueError: duration '3 weeks': no unit 'weeks'; give a number of steps, or a number and one of steps, epochs, examples, %
    """
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise _error(text, "only whole numbers go without a unit" if isinstance(text, float) else "not a length")
    plain = str(text).strip().lower()
    if plain.startswith("-"):
        raise _error(text, "it must not be negative")
    found = _TEXT.fullmatch(plain)
    if not found:
        raise _error(text, "not a length")
    value, unit = float(found[1].replace(",", "")), found[2] or "steps"
    if unit not in _ALIASES:
        raise _error(text, f"no unit {unit!r}")
    if _ALIASES[unit] != "steps":
        return Duration(value, _ALIASES[unit])
    if not value.is_integer():
        raise _error(text, "steps are whole" if found[2] else "only whole numbers go without a unit")
    return Duration(int(value), "steps")


def resolve(duration: Duration, *, batch_size: int, num_examples: int, total: int | None = None) -> int:
    """The number of steps that a length comes to.

    Epochs are ``value * num_examples / batch_size`` steps, examples ``value / batch_size``, a share
    ``total * value / 100``, each rounded to the nearest whole number (halves up). Nothing longer than zero becomes zero:
    a positive length is at least one step.

    Args:
      duration: from ``parse``.
      batch_size: examples per step, global.
      num_examples: examples in one epoch.
      total: steps of the whole run; needed for ``%``.

    Returns:
      Steps, at least 0.

    Raises:
      ValueError: ``%`` without ``total`` (the length of the run itself), or no examples to count with.

    >>> resolve(parse("10 epochs"), batch_size=256, num_examples=50_000)
    1953
    >>> resolve(parse("5 %"), batch_size=256, num_examples=50_000, total=1953)
    98
    """
    for name, count in (("batch_size", batch_size), ("num_examples", num_examples)):
        if count < 1:
            raise ValueError(f"duration '{_text(duration)}': {name}={count} must be at least 1")
    value, unit = duration
    if unit == "%" and total is None:
        raise ValueError(
            f"duration '{_text(duration)}': the length of the run itself cannot be a share of it; "
            "give it in steps, epochs or examples"
        )
    per_unit = {
        "steps": (1, 1),
        "epochs": (num_examples, batch_size),
        "examples": (1, batch_size),
        "%": (total or 0, 100),
    }
    times, over = per_unit[unit]
    return max(math.floor(value * times / over + 0.5), int(value > 0))


def _text(duration: Duration) -> str:
    return f"{duration.value:.12g} {duration.unit}"


def _error(text, reason: str) -> ValueError:
    return ValueError(f"duration {text!r}: {reason}; give a number of steps, or a number and one of {', '.join(UNITS)}")
