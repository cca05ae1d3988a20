"""The registry: a method by name, with the paper and what it carries, so that tests and ``jssl methods`` can list them."""

import inspect
import re
from collections.abc import Callable
from typing import NamedTuple

from jssl.hints import nearest
from jssl.methods.method import Method


class Entry(NamedTuple):
    """One registered method.

    Attributes:
      build: keyword arguments -> Method.
      paper: authors, short title, arXiv number.
      needs: what it has beside an encoder, a projector and a decoder, and what it asks for: ``("teacher", "queue")``,
        ``("ViT",)``, ``("labels",)``.
      golden: the golden file its objective is checked against.
    """

    build: Callable[..., Method]
    paper: str
    needs: tuple[str, ...]
    golden: str


REGISTRY: dict[str, Entry] = {}


def register(name: str, *, paper: str, needs: tuple[str, ...] = (), golden: str):
    """Decorates the function that builds the method ``name``."""

    def add(build):
        REGISTRY[name] = Entry(build, paper, needs, golden)
        return build

    return add


def build(name: str, **options) -> Method:
    """Builds a method; unknown names and options are answered with the nearest one.

    >>> from jssl import methods
    >>> methods.build("simclr", encoder={"name": "resnet18"}, image_size=32, temprature=0.5)
    Traceback (most recent call last):
    ...
    ValueError: simclr has no option 'temprature'; did you mean 'temperature'?
    """
    if name not in REGISTRY:
        raise ValueError(f"no method {name!r}{nearest(name, REGISTRY)}")
    entry = REGISTRY[name]
    known = inspect.signature(entry.build).parameters
    for option in options:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}{nearest(option, known)}")
    try:
        return entry.build(**options)
    except TypeError as error:
        # Options one level down, of encoder={...} or augmentation={...}, are the arguments of what they build.
        unknown = re.match(r"(\w+)\S*\(\) got an unexpected keyword argument ('\w+')", str(error))
        if not unknown:
            raise
        raise ValueError(f"{name}: {unknown[1]} has no option {unknown[2]}") from error
