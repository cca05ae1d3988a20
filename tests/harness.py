"""Builds and runs tiny runs of every row of a method, on any number of the eight forced devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from rows import ROWS, method_of

from jssl import data, methods, sharding
from jssl.train import optimizers, schedules
from jssl.train.state import init_state, make_views
from jssl.train.step import make_train_step

BATCH, SIZE = 16, 16
# Where so many steps are run that the code should be fast: conftest.py has it unoptimised.
OPTIMISED = {"xla_backend_optimization_level": 1, "xla_llvm_disable_expensive_passes": False}
RULES = sharding.table(min_size=32)  # small enough that tiny layers are split, too


@functools.cache
def pictures():
    """64 random pictures, smooth enough for crops to be alike, of four classes."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (64, 4, 4, 3), dtype=np.uint8)
    return data.ArraySource({"image": coarse.repeat(5, 1).repeat(5, 2), "label": np.arange(64) % 4})


@functools.cache
def captioned():
    """The pictures, with two random captions each, the second missing now and then."""
    rng = np.random.default_rng(1)
    captions = rng.integers(3, 40, (64, 2, 12)).astype(np.int32)
    captions[:, :, 9:] = 0
    captions[::3, 1] = 0
    image = np.stack([example["image"] for example in pictures()])
    return data.ArraySource({"image": image, "captions": captions}, data.About(vocabulary=40, tokenizer="bytes"))


@functools.cache
def texts():
    """64 rows of 17 random tokens, of one to three documents, some of them padded."""
    rng = np.random.default_rng(2)
    tokens = rng.integers(3, 40, (64, 17)).astype(np.int32)
    cuts = np.sort(rng.integers(1, 17, (64, 2)), 1)
    segments = (1 + (np.arange(17) >= cuts[:, :1]) + (np.arange(17) >= cuts[:, 1:])).astype(np.int32)
    segments[::4, 13:] = 0
    fields = {"tokens": np.where(segments > 0, tokens, 0).astype(np.int32), "segments": segments}
    return data.ArraySource(fields, data.About(vocabulary=40, tokenizer="bytes"))


@functools.cache
def clips():
    """64 clips of 6 frames: the pictures, each drifting its own way, of four classes."""
    rng = np.random.default_rng(3)
    image = np.stack([example["image"] for example in pictures()])
    shifts = rng.integers(-2, 3, (64, 2))
    moved = [[np.roll(x, t * shift, (0, 1)) for t in range(6)] for x, shift in zip(image, shifts)]
    return data.ArraySource({"video": np.array(moved), "label": np.arange(64) % 4})


@functools.cache
def steered():
    """64 clips of 6 frames: the pictures, each pushed about by actions that are known."""
    image = np.stack([example["image"] for example in pictures()])
    pushed = np.random.default_rng(4).integers(-2, 3, (64, 5, 2))
    places = np.concatenate([np.zeros((64, 1, 2), int), pushed.cumsum(1)], 1)
    video = [[np.roll(x, shift, (0, 1)) for shift in path] for x, path in zip(image, places)]
    return data.ArraySource({"video": np.array(video), "actions": (pushed / 2).astype(np.float32)})


def sounds():
    """64 sounds of 512 samples at 8 kHz, of four classes that differ in pitch, under noise; some end before the rest."""
    rng = np.random.default_rng(3)
    label, time = np.arange(64) % 4, np.arange(512) / 8000
    tone = np.sin(2 * np.pi * (400 * 2.0 ** label[:, None] * time + rng.random((64, 1))))
    length = np.where(np.arange(64) % 3 == 0, 380, 512)
    audio = 6000 * (tone + 0.5 * rng.normal(size=tone.shape)) * (np.arange(512) < length[:, None])
    fields = {"audio": audio.astype(np.int16), "length": length, "label": label}
    return data.ArraySource(fields, data.About(sample_rate=8000))


@functools.cache
def clips_with_sound():
    """The clips, each with one of the sounds, and a half of it again: 768 samples for six frames."""
    heard = data.stack(sounds())
    audio = np.concatenate([heard["audio"], heard["audio"][:, :256]], 1)
    fields = data.stack(clips()) | {"audio": audio, "length": heard["length"] + 256}
    return data.ArraySource(fields, data.About(sample_rate=8000))


SOURCES = {
    ("text",): texts,
    ("captions",): captioned,
    ("video", "audio"): clips_with_sound,
    ("actions",): steered,
    ("video",): clips,
    ("audio",): sounds,
}
"""What a method asks for, and the data that have it."""


def source_of(name: str):
    """The data that a row trains on: by what its method asks for."""
    asks = methods.REGISTRY[method_of(name)].asks
    return next((make for those, make in SOURCES.items() if {*those} <= {*asks}), pictures)()


def build(name: str, **options):
    """The method of a row."""
    source = source_of(name)
    return methods.build(method_of(name), spec=source.spec, about=source.about, **(ROWS[name] | options))


def batch_shape(name: str, size: int = 2):
    """A batch of the row's data, as shapes."""
    spec = {key: jax.ShapeDtypeStruct((size, *field.shape), field.dtype) for key, field in source_of(name).spec.items()}
    return spec | {"index": jax.ShapeDtypeStruct((size,), jnp.int32)}


@functools.cache
def parts(name, devices=1, fsdp=1, tensor=1, accumulate=1, dtype=jnp.float32):
    """(method, mesh, step, initial state): built once per process, since compiling is most of a test's time."""
    method = build(name, dtype=dtype)
    mesh, tx = sharding.make_mesh(jax.devices()[:devices], fsdp=fsdp, tensor=tensor), make_optimizer()
    state, specs = init_state(method, tx, jax.random.key(1), source_of(name).spec, mesh, RULES)
    return method, mesh, make_step(method, mesh, specs, accumulate), state, specs


def make_optimizer():
    # Small steps: a ReLU that rounding flips must not grow into another run within the 20 steps that are compared.
    return optimizers.build("sgd", learning_rate=0.002, weight_decay=1e-4, clip_norm=10.0)


def make_step(method, mesh, specs, accumulate=1):
    momentum = schedules.cosine(0.9, 1.0, 100)
    return make_train_step(method, make_optimizer(), mesh, specs, momentum=momentum, accumulate=accumulate)


class Tiny:
    """A tiny run: ``state``, ``step``, ``feed`` of a method on some devices; the arguments are those of ``parts``."""

    def __init__(self, name, **options):
        self.method, self.mesh, self.step, state, self.specs = parts(name, **options)
        self.state = jax.tree.map(jnp.copy, state)  # the step donates what it is given
        self.feed = data.ResidentFeed(source_of(name), self.mesh, seed=3, global_batch=BATCH)

    def run(self, steps: int) -> list[float]:
        """Does ``steps`` more updates; returns their losses."""
        losses = []
        for step in range(int(self.state.step), int(self.state.step) + steps):
            batch = self.feed.batch(step)
            with jax.transfer_guard("disallow"):
                self.state, metrics = self.step(self.state, batch)
            losses.append(float(metrics["loss"]))
        return losses

    def views(self, step: int = 0):
        """(views, keys) of the batch of a step."""
        # Compiled: one operation at a time, the augmentation alone takes as long as the whole step.
        return jax.jit(functools.partial(make_views, self.method))(self.state.key, step, self.feed.batch(step))


def arrays(tree) -> dict[str, np.ndarray]:
    """Every leaf of a state by path, on the host."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path): np.asarray(
            jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
        )
        for path, x in leaves
    }


def assert_same_run(losses, reference, state=None, reference_state=None):
    """The one rule of tolerance for runs on other devices: losses within 1e-4 of their size, and every number of the states
    within 1e-4 of the size of its part of it. Weights and their teacher are a part each, since rounding in one of their
    layers moves all others; so is every entry of ``extra``: the statistics, a queue, a centre. The optimiser's momentum is
    left out: it holds gradients, and a ReLU that rounding flips makes those jump."""
    np.testing.assert_allclose(losses, reference, rtol=1e-4, atol=1e-5)
    if state is None:
        return

    def parts_of(state):
        return {"params": state.params, "teacher": state.teacher, **state.extra}

    ours, theirs = parts_of(state), parts_of(reference_state)
    assert ours.keys() == theirs.keys()
    for part in theirs:
        here, there = arrays(ours[part]), arrays(theirs[part])
        floats = [value for value in there.values() if np.issubdtype(value.dtype, np.floating)]
        size = max((float(np.abs(value).max(initial=0.0)) for value in floats), default=0.0)
        assert here.keys() == there.keys()
        for path, value in there.items():
            exact = not np.issubdtype(value.dtype, np.floating)
            bound = 0.0 if exact else 1e-4 * size
            np.testing.assert_allclose(here[path], value, rtol=0, atol=bound, err_msg=f"{part}{path}")
