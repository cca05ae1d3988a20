"""Builds the parts of a run from its config: data, method, optimiser, state, step."""

import dataclasses
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from jssl import data, methods, sharding, views
from jssl.train import optimizers, schedules
from jssl.train.state import init_state
from jssl.train.step import make_train_step


@dataclasses.dataclass(frozen=True)
class Run:
    """The parts of one run; see ``build``."""

    config: Any
    mesh: Mesh
    method: methods.Method
    tx: Any
    momentum: schedules.Schedule
    key: jax.Array
    batch_shape: dict

    def init_state(self):
        """The state at step 0 and its PartitionSpecs."""
        return init_state(self.method, self.tx, self.key, self.batch_shape, self.mesh)

    def make_step(self, specs):
        """The compiled step of this run."""
        return make_train_step(
            self.method, self.tx, self.mesh, specs, momentum=self.momentum, accumulate=self.config.accumulate
        )

    def eval_view(self):
        """uint8 image -> the normalised image that ``method.encode`` takes."""
        data_config = self.config.data
        size = self.config.eval_image_size or self.config.image_size
        return views.eval_view(size, mean=data_config.mean, std=data_config.std)


def build(config, image_shape: tuple[int, ...]) -> Run:
    """Builds everything of a run but its data.

    Args:
      config: see ``jssl.config.default_config``.
      image_shape: (H, W, 3) of the raw images.

    Raises:
      ValueError: whatever does not fit, in one line.
    """
    mesh = sharding.make_mesh(fsdp=config.fsdp)
    share = mesh.size * config.accumulate
    if config.data.batch_size % share:
        raise ValueError(
            f"data.batch_size={config.data.batch_size} is not divisible by {mesh.size} devices x accumulate="
            f"{config.accumulate}; use a multiple of {share}"
        )
    if min(image_shape[:2]) < config.image_size:
        raise ValueError(f"images are {image_shape[0]}x{image_shape[1]}, smaller than image_size={config.image_size}")
    options = config.method.to_dict()
    augmentation = {"mean": tuple(config.data.mean), "std": tuple(config.data.std), **config.augmentation.to_dict()}
    method = methods.build(
        options.pop("name"),
        encoder=config.encoder.to_dict(),
        image_size=config.image_size,
        dtype=jnp.dtype(config.dtype),
        augmentation=augmentation,
        **options,
    )
    batch_shape = {
        "image": jax.ShapeDtypeStruct((2, *image_shape), jnp.uint8),
        "label": jax.ShapeDtypeStruct((2,), jnp.int32),
        "index": jax.ShapeDtypeStruct((2,), jnp.int32),
    }
    key = jax.random.key(config.seed)
    return Run(config, mesh, method, make_optimizer(config), make_momentum(config), key, batch_shape)


def make_optimizer(config):
    """The optax chain of ``config.optimizer``: schedules over the whole run, exclusions, groups, freeze."""
    o = config.optimizer
    learning_rate = schedules.warmup_cosine(o.learning_rate, o.warmup_steps, config.steps, end=o.learning_rate_end)
    weight_decay = o.weight_decay
    if o.weight_decay_end is not None:
        weight_decay = schedules.cosine(o.weight_decay, o.weight_decay_end, config.steps)

    def make(rate):
        return optimizers.make_optimizer(o.name, learning_rate=rate, weight_decay=weight_decay, **o.options.to_dict())

    tx = make(learning_rate)
    if o.constant_rate:
        tx = optimizers.split(o.constant_rate, make(o.learning_rate), tx)
    if o.clip_norm:  # first, so that the norm is that of the whole gradient
        tx = optax.chain(optax.clip_by_global_norm(o.clip_norm), tx)
    if o.freeze:
        tx = optimizers.freeze(tx, o.freeze, until_step=o.freeze_steps)
    return tx


def make_momentum(config) -> schedules.Schedule:
    """The EMA momentum of ``config.teacher`` over the whole run; methods without a teacher do not ask for it."""
    teacher = config.teacher
    if teacher.schedule not in ("cosine", "linear"):
        raise ValueError(f"no teacher.schedule {teacher.schedule!r}: use cosine or linear")
    return getattr(schedules, teacher.schedule)(teacher.momentum, teacher.momentum_end, config.steps)


def open_data(config, split: str) -> data.Source:
    """The images of a split."""
    return data.open_source(config.data.source, split)


def make_feed(config, source: data.Source, mesh: Mesh):
    """``resident`` or ``grain``, behind one interface: ``iterate(start_step)``."""
    feeds = {"resident": data.ResidentFeed, "grain": data.GrainFeed}
    if config.data.feed not in feeds:
        raise ValueError(f"no feed {config.data.feed!r}; use resident or grain")
    return feeds[config.data.feed](
        source, mesh, seed=config.seed, global_batch=config.data.batch_size, **config.data.options.to_dict()
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
