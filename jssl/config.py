"""The default config, typed overrides, and configs loaded from a file.

Only the command line and the entry of the loop read configs; every function below them takes plain arguments.
"""

import ast
import difflib
import json
import pathlib

from ml_collections import ConfigDict

from jssl import config_file


def default_config() -> ConfigDict:
    """Every key there is, with its default. Recipes in ``configs/`` change some of them.

    Lengths (``LENGTHS``) are steps, or text in epochs, examples or a share of the run: ``"10 epochs"``, ``"5 %"``.

    >>> default_config().data.batch_size
    256
    """
    return ConfigDict(
        {
            "seed": 0,
            "imports": (),  # modules that register methods, encoders or sources: ("mypackage.methods",)
            # Options of the method's build function (jssl/methods/*/<name>.py); "name" picks it.
            "method": {"name": "simclr"},
            "dtype": "bfloat16",  # compute; parameters and optimiser stay float32
            "data": {
                "source": "synthetic",
                "feed": "resident",  # the whole set on the device; "grain" streams it from the host
                "batch_size": 256,  # global
                "options": {},  # of the grain feed: num_workers, num_threads, prefetch
            },
            "optimizer": {
                "name": "sgd",
                "learning_rate": 0.03,  # peak
                "learning_rate_end": 0.0,
                "warmup": 0,
                "weight_decay": 1e-4,
                "weight_decay_end": None,  # cosine from weight_decay to here; None keeps it
                "clip_norm": None,
                "options": {},  # of jssl.train.optimizers.build
                "freeze": "",  # regex of parameter paths that are held at first
                "freeze_for": 0,
                "constant_rate": "",  # regex of parameter paths that keep the peak learning rate all along (SimSiam)
            },
            "ema": {"momentum": 0.996, "momentum_end": 1.0, "schedule": "cosine"},  # of the teacher; or linear
            "steps": 1000,
            "accumulate": 1,
            "fsdp": 1,  # devices, or groups of ``tensor`` devices, that share one copy of the state
            "tensor": 1,  # devices that share one part of the batch, and split wide layers between them
            # What is written and when; like the data's place and feed, it may change when a run is resumed.
            "run": {
                "hardware": "",  # what the recipe is meant for, as jssl plan takes it: "v5e:4x4"
                "log_every": 20,
                "eval_every": 0,  # 0: at the end only
                "checkpoint_every": 500,
                "keep": 2,
                "keep_every": None,
                "wandb": None,  # a project of Weights & Biases that metrics go to as well
                "on_nonfinite": "stop",  # or "skip": drop the update and go on, unless most have to be dropped
                "on_spike": "take",  # or "skip": drop an update whose loss and gradient are 6 deviations above the latest
                "on_collapse": "warn",  # of features, at an online evaluation; or "stop" at the second in a row, or "ignore"
                "watchdog": 600.0,  # seconds without a step after which a run hangs, if 50 steps take less; 0: never
                "online_bank": 5000,  # examples of the online k-NN: bank and queries
                "online_queries": 1000,
            },
        },
        type_safe=False,  # a length is a number or text; overrides are checked in set_key, all else where it is used
    )


LENGTHS = (
    "steps",
    "optimizer.warmup",
    "optimizer.freeze_for",
    "run.log_every",
    "run.eval_every",
    "run.checkpoint_every",
    "run.keep_every",
)
"""Keys that are lengths of time; so are some options of methods (``jssl.methods.lengths``)."""

FREE_FORM = ("method", "data.options", "optimizer.options")
"""Sections whose keys are checked by the function they are handed to."""


def load_config(path: str, overrides: list[str]) -> ConfigDict:
    """Reads a recipe and applies ``key=value`` overrides; then imports the modules that it names.

    Args:
      path: ``dino:small,cifar10``, a recipe that comes with the library, or the file of one, ``configs/dino.py:small``: what
        follows the colon is handed to its ``get_config``, which picks a variant by it. Or the config.json of a run.
      overrides: ``key=value``, later ones win.

    Raises:
      ValueError: no such recipe or file, a file with an error in it (it is named, with the line), no such variant, unknown
        key (the nearest is named), value of another type, a module that cannot be imported.

    >>> load_config("simclr:small,synthetic", ["seed=3"]).seed
    3
    """
    config = read_json(path) if path.endswith(".json") else config_file.read(path)
    for override in overrides:
        key, found, text = override.partition("=")
        if not found:
            raise ValueError(f"--config.{override}: write --config.{key}=value")
        set_key(config, key, text)
    default = default_config()
    for key in flatten(config.to_dict()):
        if key not in flatten(default.to_dict()) and not _is_free(key):
            raise _unknown(default, key)
    config_file.import_modules(config.imports)
    return config


def _is_free(key: str) -> bool:
    """Whether a dotted key is checked by the function that its section is handed to."""
    return key.startswith(tuple(f"{section}." for section in FREE_FORM))


def complete(config: dict) -> dict:
    """A config that an older version wrote, with the keys that it lacks: a default does what was done before the key.

    >>> complete({"seed": 1, "data": {"batch_size": 512}})["data"]["feed"]
    'resident'
    """

    def fill(config, default, prefix):
        full = {**default, **config}
        for name in config.keys() & default.keys():
            if isinstance(config[name], dict) and f"{prefix}{name}" not in FREE_FORM:
                full[name] = fill(config[name], default[name], f"{prefix}{name}.")
        return full

    return fill(config, default_config().to_dict(), "")


def read_json(path: str | pathlib.Path) -> ConfigDict:
    """A config written as JSON, perhaps by an older version; its lists were tuples. Imports the modules that it names."""

    def tuples(value):
        if isinstance(value, dict):
            return {name: tuples(v) for name, v in value.items()}
        return tuple(map(tuples, value)) if isinstance(value, list) else value

    config = tuples(complete(read_object(path)))
    config_file.import_modules(config["imports"])
    return ConfigDict(type_safe=False, initial_dictionary=config)


def read_object(path: str | pathlib.Path) -> dict:
    """A JSON file of a run, which holds an object.

    Raises:
      ValueError: it is cut short or holds something else.
    """
    try:
        found = json.loads(pathlib.Path(path).read_text())
    except ValueError as error:  # of JSON, or of UTF-8
        raise ValueError(f"{path} is damaged ({error}); the jssl pretrain command of its run writes it anew") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__} instead of an object; is it the file of a run?")
    return found


def set_key(config: ConfigDict, key: str, text: str) -> None:
    """Sets a dotted key from text, keeping the type of the value it replaces.

    >>> config = default_config()
    >>> set_key(config, "optimizer.learning_rate", "1")
    >>> config.optimizer.learning_rate
    1.0
    >>> set_key(config, "optimizer.learning_rat", "1")
    Traceback (most recent call last):
    ...
    ValueError: no config key 'optimizer.learning_rat'; did you mean 'optimizer.learning_rate'?
    """
    *path, last = key.split(".")
    section = config
    for part in path:
        if part not in section and _is_free(key):
            with section.unlocked():
                section[part] = ConfigDict(type_safe=False)
        if not isinstance(section.get(part), ConfigDict):
            raise _unknown(config, key)
        section = section[part]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text  # a bare word is a string
    if last in section:
        old = section[last]
        if isinstance(old, ConfigDict):
            raise ValueError(f"--config.{key} is a section; set one of {', '.join(f'{key}.{k}' for k in old)}")
        if isinstance(old, str) and not isinstance(value, str) and key not in LENGTHS and not _is_free(key):
            value = text
        if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if isinstance(old, tuple) and isinstance(value, list):
            value = tuple(value)
        if isinstance(old, tuple) and isinstance(value, str) and not _is_free(key):
            value = tuple(part.strip() for part in text.split(","))
        timed = key in LENGTHS or _is_free(key)
        if old is not None and value is not None and type(value) is not type(old) and not timed:
            raise ValueError(f"--config.{key}={text}: expected {type(old).__name__}, like {old!r}")
    elif not _is_free(key):
        raise _unknown(config, key)
    with section.unlocked():
        section[last] = value


def _unknown(config: ConfigDict, key: str) -> ValueError:
    near = difflib.get_close_matches(key, list(flatten(config.to_dict())), n=1)
    return ValueError(f"no config key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def flatten(tree: dict, prefix: str = "") -> dict:
    """Nested dict -> {dotted key: value}."""
    flat: dict = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
