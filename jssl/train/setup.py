"""Builds the parts of a run from its config: data, method, optimiser, state, step."""

import dataclasses
import json
import logging
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from ml_collections import ConfigDict

from jssl import data, durations, methods, sharding
from jssl.config import LENGTHS
from jssl.data.card import Card
from jssl.train import optimizers, schedules
from jssl.train.state import init_state
from jssl.train.step import make_train_step


@dataclasses.dataclass(frozen=True)
class Run:
    """The parts of one run; see ``build``.

    Attributes:
      config: with every length in steps.
      card: of the training data.
      mesh: the devices.
      method: the method record.
      tx: the optimiser.
      momentum: step -> EMA momentum of the teacher.
      key: of the run.
    """

    config: ConfigDict
    card: Card
    mesh: Mesh
    method: methods.Method
    tx: Any
    momentum: schedules.Schedule
    key: jax.Array

    def init_state(self):
        """The state at step 0 and its PartitionSpecs."""
        return init_state(self.method, self.tx, self.key, self.card.spec, self.mesh)

    def make_step(self, specs):
        """The compiled step of this run."""
        return make_train_step(
            self.method, self.tx, self.mesh, specs, momentum=self.momentum, accumulate=self.config.accumulate
        )


def build(config: ConfigDict, card: Card, *, mesh: Mesh | None = None) -> Run:
    """Builds everything of a run but its data.

    Args:
      config: see ``jssl.config.default_config``.
      card: of the training data.
      mesh: the devices; all of them, laid out by ``config.fsdp``, by default.

    Raises:
      ValueError: whatever does not fit, in one line.
    """
    config = resolve_lengths(config, card.num_examples)
    if mesh is None:
        mesh = sharding.make_mesh(fsdp=config.fsdp)
        share = mesh.size * config.accumulate
        if config.data.batch_size % share:
            raise ValueError(
                f"data.batch_size={config.data.batch_size} is not divisible by {mesh.size} devices x accumulate="
                f"{config.accumulate}; use a multiple of {share}"
            )
    options = config.method.to_dict()
    method = methods.build(
        options.pop("name"), spec=card.spec, about=card.about, dtype=jnp.dtype(config.dtype), **options
    )
    key = jax.random.key(config.seed)
    return Run(config, card, mesh, method, make_optimizer(config), make_momentum(config), key)


def resolve_lengths(config: ConfigDict, num_examples: int) -> ConfigDict:
    """A copy of the config in which every length, of the run and of its method, is a number of steps.

    Args:
      config: see ``jssl.config.default_config``.
      num_examples: of the training data: an epoch.

    Raises:
      ValueError: no length, or one that is no part of the run; the key is named.

    >>> from jssl.config import default_config
    >>> config = default_config()
    >>> config.steps, config.optimizer.warmup, config.data.batch_size = "10 epochs", "5 %", 100
    >>> resolved = resolve_lengths(config, 5000)
    >>> resolved.steps, resolved.optimizer.warmup
    (500, 25)
    """
    resolved = ConfigDict(config.to_dict(), type_safe=False)
    of_method = [f"method.{name}" for name in methods.lengths(config.method.name)]
    total = None
    for key in (*LENGTHS, *of_method):
        *path, last = key.split(".")
        section = resolved
        for part in path:
            section = section.get(part, {})
        value = section.get(last)
        if value is None:  # an option that keeps its default, or no such length
            continue
        try:
            steps = durations.resolve(
                durations.parse(value), batch_size=config.data.batch_size, num_examples=num_examples, total=total
            )
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
        section[last] = steps
        if key == "steps":
            total = steps
    return resolved


def make_optimizer(config: ConfigDict):
    """The optimiser of ``config.optimizer``, whose lengths are in steps."""
    o = config.optimizer
    weight_decay = o.weight_decay
    if o.weight_decay_end is not None:
        weight_decay = schedules.cosine(o.weight_decay, o.weight_decay_end, config.steps)
    return optimizers.build(
        o.name,
        learning_rate=schedules.warmup_cosine(o.learning_rate, o.warmup, config.steps, end=o.learning_rate_end),
        weight_decay=weight_decay,
        clip_norm=o.clip_norm,
        constant_rate=o.constant_rate,
        peak=o.learning_rate,
        freeze=o.freeze,
        freeze_for=o.freeze_for,
        **o.options.to_dict(),
    )


def make_momentum(config: ConfigDict) -> schedules.Schedule:
    """The EMA momentum of ``config.ema`` over the whole run; methods without a teacher do not ask for it."""
    ema = config.ema
    if ema.schedule not in ("cosine", "linear"):
        raise ValueError(f"no ema.schedule {ema.schedule!r}: use cosine or linear")
    return getattr(schedules, ema.schedule)(ema.momentum, ema.momentum_end, config.steps)


def open_data(config: ConfigDict, split: str) -> data.Source:
    """The examples of a split."""
    return data.open_source(config.data.source, split)


def open_held_out(config: ConfigDict) -> data.Source | None:
    """The examples that a run does not train on; None where there are none, which is logged."""
    try:
        return open_data(config, "test")
    except data.NoSplit as error:
        logging.warning("no held-out figures: %s", error)
        return None


def make_feed(config: ConfigDict, source: data.Source, mesh: Mesh):
    """The feed of ``config.data``: ``iterate(start_step)``."""
    section = config.data
    return data.make_feed(
        section.feed, source, mesh, seed=config.seed, global_batch=section.batch_size, **section.options.to_dict()
    )


def abstract(state):
    """Shapes and shardings of a state: what a checkpoint is restored into."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state)


def lasting(config: dict) -> dict:
    """The part of a config that a resumed run must share: all but ``run``. As JSON, so that tuples compare as lists."""
    return {name: value for name, value in json.loads(json.dumps(config)).items() if name != "run"}


def checkpoint_folder(workdir: str | pathlib.Path) -> pathlib.Path:
    """Where a run's checkpoints are."""
    return pathlib.Path(workdir) / "checkpoints"
