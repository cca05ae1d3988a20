"""The registry: a method by name, with the paper, what it carries and what it asks for."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from jssl.data.source import About, Spec
from jssl.durations import Length
from jssl.hints import nearest
from jssl.methods.method import Method
from jssl.methods.options import Given

CARRIES = ("teacher", "predictor", "prototypes", "queue", "centre", "colour prior", "multi-crop", "scale")
"""What a method may have beside an encoder, a projector and a decoder."""
ASKS: dict[str, tuple[str, ...]] = {
    "labels": ("label",),
    "captions": ("captions",),
    "text": (),
    "actions": ("actions",),
    "video": (),
    "audio": (),
    "patches": (),
}
"""What a method may ask for beside what it reads and any encoder, and the fields that this takes."""


class Entry(NamedTuple):
    """One registered method.

    Attributes:
      build: (given, **options) -> Method.
      paper: authors, short title, arXiv number.
      carries: of ``CARRIES``.
      asks: of ``ASKS``.
      reads: the fields that its views take.
      golden: the golden file that the objective it trains on is checked against; "formula" where there is none.
    """

    build: Callable[..., Method]
    paper: str
    carries: tuple[str, ...]
    asks: tuple[str, ...]
    reads: tuple[str, ...]
    golden: str

    @property
    def fields(self) -> tuple[str, ...]:
        """What an example must hold: what the method reads, and what it asks for."""
        return (*self.reads, *(field for ask in self.asks for field in ASKS[ask]))

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """The options of ``build`` by name."""
        return {p.name: p for p in inspect.signature(self.build).parameters.values() if p.kind is p.KEYWORD_ONLY}


REGISTRY: dict[str, Entry] = {}


def register(
    name: str,
    *,
    paper: str,
    carries: tuple[str, ...] = (),
    asks: tuple[str, ...] = (),
    reads: tuple[str, ...] = ("image",),
    golden: str,
):
    """Decorates the function that builds the method ``name``; the arguments are those of ``Entry``."""
    assert set(carries) <= set(CARRIES) and set(asks) <= set(ASKS), f"{name}: {carries}, {asks}"

    def add(build):
        REGISTRY[name] = Entry(build, paper, carries, asks, reads, golden)
        return build

    return add


def build(name: str, *, spec: Spec, about: About | None = None, dtype: Any = jnp.float32, **options) -> Method:
    """Builds a method for a data set; unknown names and options are answered with the nearest one.

    Args:
      name: of the method.
      spec: of one example, ``source.spec``.
      about: of the data set, ``source.about``.
      dtype: compute dtype; parameters are float32.
      **options: of the method. Groups (``image``, ``head`` ...) are given as dataclasses of ``jssl.methods.options`` or
        as mappings of what differs from the method's defaults.

    Raises:
      ValueError: no such method or option, a value of another type, or a data set that lacks a field it asks for.

    >>> import jax
    >>> from jssl import methods
    >>> spec = {"image": jax.ShapeDtypeStruct((32, 32, 3), "uint8")}
    >>> methods.build("simclr", spec=spec, temprature=0.5)
    Traceback (most recent call last):
    ...
    ValueError: simclr has no option 'temprature'; did you mean 'temperature'?
    >>> methods.build("sup_con", spec=spec)
    Traceback (most recent call last):
    ...
    ValueError: sup_con needs the field label; the data set has image
    """
    entry = find(name)
    if missing := [field for field in entry.fields if field not in spec]:
        fields = "field" if len(missing) == 1 else "fields"
        raise ValueError(f"{name} needs the {fields} {', '.join(missing)}; the data set has {', '.join(spec)}")
    method = entry.build(Given(dict(spec), about or About(), dtype), **complete_options(name, options))
    assert method.fields == frozenset(entry.fields) and bool(method.teacher) == ("teacher" in entry.carries), name
    return method


def complete_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of a method, as ``build`` takes it: groups as dataclasses, what is not given at its default."""
    known = find(name).options
    values = {option: parameter.default for option, parameter in known.items()}
    for option, value in options.items():
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}{nearest(option, known)}")
        values[option] = _convert(f"method.{option}", known[option].default, value, known[option].annotation)
    return values


def find(name: str) -> Entry:
    """The entry of a method; ValueError, with the nearest, for a name that there is not."""
    if name not in REGISTRY:
        raise ValueError(f"no method {name!r}{nearest(name, REGISTRY)}")
    return REGISTRY[name]


def lengths(name: str) -> list[str]:
    """The options of a method that are lengths of time, as dotted names: "temperature.warmup".

    >>> from jssl import methods
    >>> methods.lengths("dino")
    ['temperature.warmup']
    """
    found = []
    for option, parameter in find(name).options.items():
        if parameter.annotation is Length:
            found.append(option)
        if dataclasses.is_dataclass(parameter.default):
            fields = dataclasses.fields(parameter.default)
            found += [f"{option}.{field.name}" for field in fields if field.type is Length]
    return found


def _convert(path: str, default: Any, value: Any, annotation: Any) -> Any:
    """A value of a config, as the option whose default is ``default`` wants it."""
    if dataclasses.is_dataclass(default) and isinstance(value, Mapping):
        fields = {field.name: field for field in dataclasses.fields(default)}
        changes = {}
        for key, item in value.items():
            if key not in fields:
                raise ValueError(f"{path} has no option {key!r}{nearest(key, fields)}")
            changes[key] = _convert(f"{path}.{key}", getattr(default, key), item, fields[key].type)
        return dataclasses.replace(default, **changes)  # type: ignore[type-var]
    if dataclasses.is_dataclass(default) and type(value) is not type(default):
        group = type(default).__name__
        raise ValueError(f"{path}={value!r}: expected {group}, or a mapping of what differs from its defaults")
    if isinstance(default, Mapping) and isinstance(value, Mapping):
        return dict(value) if "name" in value else {**default, **value}  # another encoder has other options
    if annotation is Length:
        if isinstance(value, str):
            raise ValueError(f"{path}={value!r} is resolved to steps when batch size and data are known; give steps")
        if type(value) is not int:
            raise ValueError(f"{path}={value!r}: expected a number of steps")
        return value
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if default is not None and value is not None and not dataclasses.is_dataclass(default):
        if type(value) is not type(default) and not isinstance(default, Mapping):
            raise ValueError(f"{path}={value!r}: expected {type(default).__name__}, like {default!r}")
    return value
