"""Builds the parts of a run from its config: data, method, optimiser, state, step."""

import dataclasses
import logging
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from ml_collections import ConfigDict

from jssl import data, durations, methods, sharding
from jssl.config import LENGTHS
from jssl.data.card import Card
from jssl.hints import nearest
from jssl.train import optimizers, schedules
from jssl.train.state import init_state
from jssl.train.step import make_train_step

DTYPES = ("float32", "bfloat16")
"""Of the computation. Gradients in float16 underflow unless the loss is scaled, which nothing here does."""

REACTIONS: dict[str, tuple[str, ...]] = {
    "on_nonfinite": ("stop", "skip"),
    "on_spike": ("take", "skip"),
    "on_collapse": ("warn", "stop", "ignore"),
}
"""To an update whose loss or gradient is not finite, to one that stands far above the latest, and to features that collapse."""


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
      rates: step -> what the schedules say there, for the log.
      key: of the run.
    """

    config: ConfigDict
    card: Card
    mesh: Mesh
    method: methods.Method
    tx: Any
    momentum: schedules.Schedule
    rates: Callable
    key: jax.Array

    def init_state(self):
        """The state at step 0 and its PartitionSpecs."""
        return init_state(self.method, self.tx, self.key, self.card.spec, self.mesh)

    def make_step(self, specs):
        """The compiled step of this run.

        Raises:
          ValueError: one example a batch, where batch norm would make all of them the same.
        """
        if self.config.data.batch_size == 1 and specs.extra.get("batch_stats"):
            raise _too_few(self.method.name, "batch norm needs", 2)
        return make_train_step(
            self.method,
            self.tx,
            self.mesh,
            specs,
            momentum=self.momentum,
            accumulate=self.config.accumulate,
            skip_spikes=self.config.run.on_spike == "skip",
        )


def build(config: ConfigDict, card: Card, *, mesh: Mesh | None = None) -> Run:
    """Builds everything of a run but its data.

    Args:
      config: see ``jssl.config.default_config``.
      card: of the training data.
      mesh: the devices; all of them, laid out by ``config.fsdp`` and ``config.tensor``, by default.

    Raises:
      ValueError: whatever does not fit, in one line.
    """
    config = resolve_lengths(config, card.num_examples)
    if mesh is None:
        mesh = sharding.make_mesh(fsdp=config.fsdp, tensor=config.tensor)
        check_share(config, mesh)
    choices: dict[str, tuple[Any, tuple[str, ...]]] = {"dtype": (config.dtype, DTYPES)}
    choices |= {f"run.{name}": (config.run[name], known) for name, known in REACTIONS.items()}
    for name, (chosen, known) in choices.items():
        if chosen not in known:
            raise ValueError(f"{name}={chosen!r}{nearest(str(chosen), known)}")
    options = config.method.to_dict()
    method = methods.build(
        options.pop("name"), spec=card.spec, about=card.about, dtype=jnp.dtype(config.dtype), **options
    )
    if config.data.batch_size < method.fewest:
        raise _too_few(method.name, f"its loss ({method.coupled}) needs", method.fewest)
    key, rates = jax.random.key(config.seed), make_rates(config, teacher=method.teacher is not None)
    return Run(config, card, mesh, method, make_optimizer(config), make_momentum(config), rates, key)


def check_share(config: ConfigDict, mesh: Mesh) -> None:
    """Raises ValueError unless every device gets the same number of examples of each micro-batch."""
    share = sharding.shares(mesh) * config.accumulate
    if config.data.batch_size % share:
        raise ValueError(
            f"data.batch_size={config.data.batch_size} is not divisible by {sharding.sharers(mesh)} x accumulate="
            f"{config.accumulate}; use a multiple of {share}"
        )


def _too_few(method: str, why: str, fewest: int) -> ValueError:
    return ValueError(f"{method}: {why} at least {fewest} examples a batch; raise data.batch_size")


def resolve_lengths(config: ConfigDict, num_examples: int) -> ConfigDict:
    """A copy of the config in which every length, of the run and of its method, is a number of steps.

    Args:
      config: see ``jssl.config.default_config``.
      num_examples: of the training data: an epoch.

    Raises:
      ValueError: no length, or one that is no part of the run; the key is named. A warm-up, or a part that is frozen, that
        would last longer than the run: all of them are named.

    >>> from jssl.config import default_config
    >>> config = default_config()
    >>> config.steps, config.optimizer.warmup, config.data.batch_size = "10 epochs", "5 %", 100
    >>> resolved = resolve_lengths(config, 5000)
    >>> resolved.steps, resolved.optimizer.warmup
    (500, 25)
    """
    resolved = ConfigDict(config.to_dict(), type_safe=False)
    of_method = [f"method.{name}" for name in methods.lengths(config.method.name)]
    total, too_long = None, []
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
        if steps < 1 and key in ("steps", "run.log_every", "run.checkpoint_every"):
            raise ValueError(f"{key}={value}: give at least one step")
        section[last] = steps
        if key == "steps":
            total = steps
        elif total is not None and not key.startswith("run.") and _outlasts(key, value, steps, total):
            too_long.append(f"{key}={value!r} ({steps} steps)" if isinstance(value, str) else f"{key}={value}")
    if too_long:
        lower = too_long[0].partition("=")[0]
        raise ValueError(
            f"the run has {total} steps (steps={config.steps!r}, {num_examples} examples, batches of "
            f"{config.data.batch_size}), too few for {', '.join(too_long)}; train longer, or give shares of the run: "
            f"--config.{lower}='5 %'"
        )
    return resolved


def _outlasts(key: str, value: Any, steps: int, total: int) -> bool:
    """Whether a length leaves nothing of the run that it is to end in. What is frozen all along is given as 100 %."""
    if key == "optimizer.freeze_for" and durations.parse(value).unit in ("epochs", "examples"):
        return steps >= total
    return steps > total


def learning_rate(config: ConfigDict) -> schedules.Schedule:
    """The learning rate of ``config.optimizer`` over the whole run; lengths are in steps."""
    o = config.optimizer
    return schedules.warmup_cosine(o.learning_rate, o.warmup, config.steps, end=o.learning_rate_end)


def weight_decay(config: ConfigDict) -> optimizers.Rate:
    """The weight decay of ``config.optimizer``: a number, or a schedule over the whole run."""
    o = config.optimizer
    if o.weight_decay_end is None:
        return o.weight_decay
    return schedules.cosine(o.weight_decay, o.weight_decay_end, config.steps)


def make_optimizer(config: ConfigDict):
    """The optimiser of ``config.optimizer``, whose lengths are in steps."""
    o = config.optimizer
    return optimizers.build(
        o.name,
        learning_rate=learning_rate(config),
        weight_decay=weight_decay(config),
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


def make_rates(config: ConfigDict, *, teacher: bool) -> Callable[[int], dict[str, jax.Array]]:
    """step -> learning_rate, weight_decay and, with a teacher, ema_momentum: what the update of that step takes."""
    rates = {"learning_rate": learning_rate(config), "weight_decay": weight_decay(config)}
    if teacher:
        rates["ema_momentum"] = make_momentum(config)

    def at(step):
        return {name: rate(step) if callable(rate) else jnp.float32(rate) for name, rate in rates.items()}

    return jax.jit(at)


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
    section, options = config.data, config.data.options.to_dict()
    given = {"seed": config.seed, "global_batch": section.batch_size}
    if taken := options.keys() & given.keys():
        raise ValueError(f"data.options.{min(taken)}: set --config.seed and --config.data.batch_size instead")
    return data.make_feed(section.feed, source, mesh, **given, **options)


def abstract(state):
    """Shapes and shardings of a state: what a checkpoint is restored into."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state)


def checkpoint_folder(workdir: str | pathlib.Path) -> pathlib.Path:
    """Where a run's checkpoints are."""
    return pathlib.Path(workdir) / "checkpoints"
