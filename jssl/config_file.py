"""Recipes as files: found by name or path, run, and what is wrong in them named with file and line."""

import importlib
import importlib.util
import inspect
import os
import pathlib
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from ml_collections import ConfigDict

from jssl.hints import nearest

__all__ = ["import_modules", "read", "recipes"]


def recipes() -> dict[str, pathlib.Path]:
    """The recipes that come with the library, name -> file: in the package once installed, beside it in a checkout.

    >>> "simclr" in recipes()
    True
    """
    packaged = pathlib.Path(__file__).with_name("configs")
    folder = packaged if packaged.is_dir() else pathlib.Path(__file__).parents[1] / "configs"
    return {file.stem: file for file in sorted(folder.glob("*.py"))}


def read(path: str) -> ConfigDict:
    """The config that ``get_config()`` of a recipe returns; see ``jssl.config.load_config``.

    Raises:
      ValueError: no such recipe or file, an error in it, or no config returned; in one line, with file and line.
    """
    file, variant = _find(path)
    get_config = load(file)
    if variant and not inspect.signature(get_config).parameters:
        raise ValueError(f"{file} has no variants; leave :{variant} out")
    config = _run(file, get_config, *([variant] if variant else []))
    if not isinstance(config, ConfigDict):
        line = getattr(getattr(get_config, "__code__", None), "co_firstlineno", 1)
        kind = "nothing" if config is None else f"a {type(config).__name__}"
        raise ValueError(
            f"{file}, line {line}: get_config returns {kind}; return the config (jssl.config.default_config)"
        )
    return config


def load(file: pathlib.Path) -> Callable[..., Any]:
    """The ``get_config`` of a recipe file.

    Raises:
      ValueError: the file cannot be run, or defines none.
    """
    spec = importlib.util.spec_from_file_location("jssl_recipe", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file} is no Python file; a recipe ends in .py, the config of a run in .json")
    module = importlib.util.module_from_spec(spec)
    _run(file, spec.loader.exec_module, module)
    if not hasattr(module, "get_config"):
        raise ValueError(f"{file} defines no get_config(); a recipe has one, which returns a config")
    return module.get_config


def import_modules(names: Sequence[str]) -> None:
    """Imports modules for what they register; those of the working directory are found, too.

    Raises:
      ValueError: there is no such module, or it fails.
    """
    if isinstance(names, str):
        raise ValueError(f"imports={names!r}: expected names of modules in a tuple, ({names!r},)")
    if names and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last, so that it hides nothing; kept, as worker processes import them, too
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
                raise ValueError(
                    f"imports: no module {error.name!r}; install it, or run where {error.name.partition('.')[0]} is"
                ) from error
            raise ValueError(f"imports: {name} fails: {_where(error)}{_said(error)}") from error


def _find(path: str) -> tuple[pathlib.Path, str]:
    """The file, and the variant behind the colon."""
    name, _, variant = path.partition(".py:")
    if variant or path.endswith((".py", ".py:")) or pathlib.Path(path).is_file():
        file = pathlib.Path(f"{name}.py" if variant else path.removesuffix(":"))
        if not file.is_file():
            there = (
                f"the recipe of this name is --config {file.stem}"
                if file.stem in recipes()
                else "jssl recipes lists some"
            )
            raise ValueError(f"no config file {file}; {there}")
        return file, variant
    name, _, variant = path.partition(":")
    if name not in recipes():
        raise ValueError(f"no recipe {name!r}{nearest(name, recipes())}")
    return recipes()[name], variant


def _run(file: pathlib.Path, function: Callable, *arguments):
    """``function(*arguments)``, whose errors name the file and the line of it that led to them."""
    try:
        return function(*arguments)
    except Exception as error:
        raise ValueError(f"{_where(error, file) or f'{file}: '}{_said(error)}") from error


def _where(error: Exception, file: pathlib.Path | None = None) -> str:
    """Where it happened: the line in ``file`` that led to it, or the last of all."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: "
    frames = list(traceback.extract_tb(error.__traceback__))
    if file is not None:
        frames = [frame for frame in frames if pathlib.Path(frame.filename) == file.absolute()]
    return f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""


def _said(error: Exception) -> str:
    """What an error says, in one line; with its kind, unless it is a ValueError, which says it all."""
    said = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return said if type(error) is ValueError else f"{type(error).__name__}: {said}"
