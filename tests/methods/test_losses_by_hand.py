"""One loss of every method redone by hand: NumPy, the paper's formula, and the parameters of small networks.

Student and teacher differ, views differ, and the centre, queue and prior are not what they start as, so that a wire in
the wrong place changes the value. Where it does not, as when a symmetric loss swaps its prediction and its target, it
changes the gradient: that is compared with the difference quotient of the same formula, in which what the paper stops
is a second set of parameters. What a batch leaves behind for the next step is redone, too.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
import small
from formulas import CASES, STEP, contrastive, crops, distillation, pretext
from small import BATCH, softmax, unit

from jssl.methods import REGISTRY
from jssl.train.state import make_views

POINTER = 4  # so near its end that the queue of six is written round it


class Made(NamedTuple):
    """What a method computed, from what, and its formula as a function of the parameters."""

    loss: float
    gradient: Any
    after: Mapping[str, Any]
    views: Mapping[str, np.ndarray]
    params: Any
    fixed: Any
    extra: Mapping[str, Any]
    by_hand: Callable


def drawn(shapes, seed: int):
    """Parameters unlike those at the start: biases are not zero, the teacher is not the student."""
    rng = np.random.default_rng(seed)

    def draw(path, x):
        # Kernels are large, so that examples and crops come out far apart.
        size = 2.0 / np.sqrt(x.shape[-2]) if x.ndim > 1 else 0.3
        return np.asarray(size * rng.normal(size=x.shape) + (path[-1].key == "scale"), np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


def filled(shapes):
    """Queue, centres and prior as a run would leave them; nothing here reads the batch statistics."""
    rng = np.random.default_rng(7)
    extra = jax.tree.map(lambda x: np.asarray(0.5 * rng.normal(size=x.shape), x.dtype), shapes)
    known = {"prior": softmax(extra.get("prior", np.zeros(1))), "pointer": np.int32(POINTER)}
    return extra | {name: value for name, value in known.items() if name in extra}


def double(tree):
    return jax.tree.map(lambda x: np.asarray(x, np.float64 if x.dtype.kind == "f" else x.dtype), tree)


@functools.cache
def views_of(name: str):
    """(views of the batch, keys), which a method's rows share."""
    method = small.build(name, **CASES[name].options)
    batch = {field: x for field, x in small.examples().items() if field in method.fields | {"index"}}
    batch_views, keys = jax.jit(lambda key: make_views(method, key, STEP, batch))(jax.random.key(2))
    return jax.tree.map(np.asarray, batch_views), keys


@functools.cache
def made(row: str) -> Made:
    case, name, raw = CASES[row], row.partition("-")[0], small.examples()
    method, (batch_views, keys) = small.build(name, **case.options), views_of(name)
    shapes, extra = jax.eval_shape(method.init, jax.random.key(0), batch_views)
    params, extra = drawn(shapes, 1), filled(extra)
    teacher = drawn(method.teacher(shapes), 2) if method.teacher else {}

    @jax.jit
    def step(params):
        def loss(params):
            return method.loss(params, teacher, extra, batch_views, keys, step=STEP, axis_name=None)

        (value, aux), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        return value, gradient, method.update_extra(extra, jax.tree.map(lambda x: x[None], aux.updates))

    outputs = jax.tree.map(np.asarray, step(params))
    seen, params, fixed, before = double((batch_views, params, teacher if method.teacher else params, extra))
    return Made(*outputs, seen, params, fixed, before, lambda params: case.loss(seen, params, fixed, before, raw))


def test_every_method_has_a_loss_by_hand():
    assert {row.partition("-")[0] for row in CASES} == set(REGISTRY)


# Compiling a method takes most of a test's time: in the fast run is one of each family.
FAST = ("byol", "causal_lm", "clip", "dino", "mae", "moco", "rotation")


def rows(names):
    return [pytest.param(row, marks=[] if row in FAST else pytest.mark.slow) for row in sorted(names)]


EVERY = rows(CASES)


@pytest.mark.parametrize("row", EVERY)
def test_loss(row):
    found = made(row)
    # Cosines of both signs may cancel to a small mean; the rounding of each, 1e-7 of one, does not.
    np.testing.assert_allclose(found.loss, found.by_hand(found.params), rtol=CASES[row].rtol, atol=1e-6)


@pytest.mark.parametrize("row", EVERY)
def test_gradient(row):
    """Along one direction in which all parameters move."""
    found, apart = made(row), CASES[row].apart
    rng = np.random.default_rng(3)
    direction = jax.tree.map(lambda x: rng.normal(size=x.shape), found.params)
    slope = sum(jax.tree.leaves(jax.tree.map(lambda g, d: float((g * d).sum()), found.gradient, direction)))

    def at(distance):
        return found.by_hand(jax.tree.map(lambda p, d: p + distance * d, found.params, direction))

    quotient = (at(apart / 2) - at(-apart / 2)) / apart
    np.testing.assert_allclose(slope, quotient, rtol=2e-2 if apart > 1e-4 else 1e-3)


PICTURES = ("views", "a", "b", "image", "global", "local")


@pytest.mark.parametrize("row", rows(row for row in CASES if "-" not in row))
def test_views_are_of_their_own_example_and_differ(row):
    seen, raw = made(row).views, small.examples()
    for name in PICTURES & seen.keys():
        pixels = (seen[name] * small.STD + small.MEAN).reshape(BATCH, -1, 3)
        for own, colour in zip(pixels, unit(small.COLOURS)):
            assert np.abs(own - (own @ colour)[:, None] * colour).max() < 0.01, name
    for made_of in (seen.get("views"), seen.get("global"), seen.get("local")):
        if made_of is not None:
            assert np.abs(made_of[:, 0] - made_of[:, 1]).reshape(BATCH, -1).max(1).min() > 0.01
    if "a" in seen:
        assert np.abs(seen["a"] - seen["b"]).reshape(BATCH, -1).max(1).min() > 0.01
    if "caption" in seen:
        which = [
            [(choice == caption).all() for choice in given] for given, caption in zip(raw["captions"], seen["caption"])
        ]
        assert np.any(which, 1).all() and np.any(which, 0).all()  # one of its own, and not always the first


# What a batch leaves for the next step


def moved(row: str, name: str, expected):
    """``extra[name]`` after the step is this."""
    np.testing.assert_allclose(made(row).after[name], expected, rtol=1e-4, atol=1e-5)


def written(queue, keys):
    """Unit keys in the rows from POINTER on, and from the start again."""
    queue = queue.copy()
    queue[(POINTER + np.arange(len(keys))) % len(queue)] = unit(keys)
    return queue


@pytest.mark.parametrize("row", rows(["moco", "moco_v1", "moco-symmetric"]))
def test_the_queue_takes_the_keys_of_the_teacher(row):
    found = made(row)
    embed = contrastive.moco_v1_embed if row == "moco_v1" else contrastive.moco_embed
    seen = ("b", "a") if row == "moco-symmetric" else ("b",)
    keys = np.stack([embed(found.fixed, found.views[view]) for view in seen], 1).reshape(-1, 4)  # by example
    moved(row, "queue", written(found.extra["queue"], keys))
    assert found.after["pointer"] == (POINTER + len(keys)) % len(found.extra["queue"])


@pytest.mark.slow
def test_the_queue_of_a_crop_takes_its_embeddings():
    found = made("swav-queue")
    embeddings, _, _ = distillation.swav_parts(found.views, found.params, found.fixed)
    moved("swav-queue", "queue", [written(found.extra["queue"][crop], embeddings[crop]) for crop in (0, 1)])


def after_momentum(center, logits):
    return 0.9 * center + 0.1 * logits.mean(0)


def test_the_centre_moves_towards_the_logits_of_the_teacher():
    found = made("dino")
    logits = np.concatenate([distillation.named(found.fixed, x) for x in crops(found.views["global"])])
    moved("dino", "center", after_momentum(found.extra["center"], logits))


@pytest.mark.parametrize("row", rows(["ibot", "dinov2-centred"]))
def test_the_centre_of_the_patches_moves_towards_those_that_are_hidden(row):
    found = made(row)
    of_teacher, _, patches, _, hidden = distillation.crop_logits(found.views, found.params, found.fixed, "head")
    moved(row, "center", after_momentum(found.extra["center"], np.concatenate(of_teacher)))
    moved(row, "patch_center", after_momentum(found.extra["patch_center"], patches[hidden]))


@pytest.mark.slow
def test_the_prior_moves_towards_the_colours_of_the_batch():
    found = made("colorization")
    seen = pretext.colours(found.views).mean((0, 1, 2))
    moved("colorization", "prior", 0.99 * found.extra["prior"] + 0.01 * seen)
