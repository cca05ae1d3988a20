"""Protocols in words, with their options as those of a source are written: ``knn:k=5+20,linear:solver=sgd&epochs=50``."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jssl.hints import nearest

__all__ = ["Asked", "parse", "values"]


class Asked(NamedTuple):
    """A protocol that was asked for.

    Attributes:
      name: of the protocol.
      options: those that were given, as text.
    """

    name: str
    options: dict[str, str]

    def __str__(self):
        return self.name + (":" if self.options else "") + ",".join(f"{k}={v}" for k, v in self.options.items())


def parse(text: str | Sequence[str]) -> list[Asked]:
    """Protocols with the options of each, each protocol once.

    Commas stand between protocols. The options of one follow a colon, with commas or & between them: what has an equals sign
    and no colon belongs to the protocol before it.

    Args:
      text: protocols, or a sequence of them.

    Raises:
      ValueError: an option without a value.

    >>> [str(asked) for asked in parse("knn:k=5+20&temperature=0.1, linear:solver=sgd,seeds=3,knn")]
    ['knn:k=5+20,temperature=0.1', 'linear:solver=sgd,seeds=3', 'knn']
    """
    pieces = (text if isinstance(text, str) else ",".join(text)).replace("&", ",").split(",")
    asked: list[Asked] = []
    for piece in map(str.strip, pieces):
        name, colon, option = piece.partition(":")
        if "=" in name and asked:
            name, colon, option = "", ":", piece
        else:
            asked.append(Asked(name.strip(), {}))
        if colon:
            key, equals, value = option.partition("=")
            if not equals or not value.strip():
                raise ValueError(
                    f"the option {option!r} of the protocol {asked[-1].name} has no value; write name=value"
                )
            asked[-1].options[key.strip()] = value.strip()
    return list({str(each): each for each in asked}.values())


def values(asked: Asked, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The given options, each of the type of its default; the values of a tuple have + between them.

    Args:
      asked: see above.
      defaults: the options of the protocol, with an example of their values.

    Raises:
      ValueError: no such option, or a value of another type.

    >>> values(parse("knn:k=5+20")[0], {"k": (20,), "temperature": 0.07})
    {'k': (5, 20)}
    """
    found = {}
    for key, text in asked.options.items():
        if key not in defaults:
            hint = nearest(key, defaults) if defaults else "; it has none"
            raise ValueError(f"the protocol {asked.name} has no option {key!r}{hint}")
        default = defaults[key]
        try:
            if isinstance(default, tuple):
                found[key] = tuple(_value(part, default[0]) for part in text.split("+"))
            else:
                found[key] = _value(text, default)
        except ValueError:
            example = "+".join(map(str, default)) if isinstance(default, tuple) else default
            raise ValueError(
                f"option {key}={text} of the protocol {asked.name}: expected the like of {example}"
            ) from None
    return found


def _value(text: str, example: Any) -> Any:
    if isinstance(example, bool):
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    return type(example)(text)
