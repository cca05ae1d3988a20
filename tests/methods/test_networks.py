"""The one way to call networks: what a run carries, and what it leaves."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.methods import networks
from jssl.methods.networks import Linen, Networks, Run, as_network
from jssl.models import MLP, Features

WIDTH = 3
VIEWS = jax.random.normal(jax.random.key(0), (2, 5, WIDTH)) * jnp.array([1.0, 3.0]).reshape(2, 1, 1) + 1.0
KEYS = jax.random.split(jax.random.key(9), 5)


class Noisy(nn.Module):
    """Adds a number of each example's own key; says what it was told."""

    @nn.compact
    def __call__(self, x, *, keys=None):
        self.param("unused", nn.initializers.normal(), ())
        if keys is None:
            return x
        return x + jax.vmap(lambda key: jax.random.normal(key))(keys)[:, None]


class Pooled(nn.Module):
    @nn.compact
    def __call__(self, x):
        return Features(nn.Dense(4)(x), x[:, None])


class Doubler:
    """No linen module: two functions."""

    def init(self, key, x, *, scale=1.0):
        return {"start": jax.random.normal(key, (x.shape[-1],))}, {"calls": jnp.zeros(())}

    def apply(self, params, batch_stats, x, *, train, keys, axis_name, scale=1.0):
        return 2.0 * scale * x, {"calls": batch_stats["calls"] + (1.0 if train else 0.0)}


def normed():
    """Networks that end in batch norm, their parameters and extra."""
    nets = Networks(encoder=nn.Dense(WIDTH), projector=MLP((4, WIDTH)))
    return nets, *nets.init(jax.random.key(1), forward_of(nets), tracked=["encoder", "projector"])


def forward(net, x):
    return net.chain(["encoder", "projector"], x)["projector"]


def forward_of(nets):
    return lambda net: forward(net, VIEWS[0])


def same(a, b, **tolerance):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **({"rtol": 1e-5, "atol": 1e-6} | tolerance)), a, b)


def test_a_chain_passes_pooled_features_on_and_keeps_every_output():
    nets = Networks(encoder=Pooled(), projector=nn.Dense(2))
    params, extra = nets.init(jax.random.key(0), lambda net: net.chain(["encoder", "projector"], VIEWS[0]))
    outputs = nets.student(params, extra).chain(["encoder", "projector"], VIEWS[0])
    assert list(outputs) == ["encoder", "projector"]
    assert isinstance(outputs["encoder"], jax.Array)
    dense = params["encoder"]["Dense_0"]
    same(outputs["encoder"], VIEWS[0] @ dense["kernel"] + dense["bias"][None])
    same(outputs["projector"], outputs["encoder"] @ params["projector"]["kernel"] + params["projector"]["bias"][None])
    one = nets.student(params, extra)("encoder", VIEWS[0])
    assert isinstance(one, Features) and one.tokens.shape == (5, 1, WIDTH)


def test_each_view_by_itself_is_one_after_another():
    nets, params, extra = normed()
    run = nets.student(params, extra)
    outputs = run.each(forward, VIEWS)
    alone = []
    for view in VIEWS:
        one = nets.student(params, extra)
        alone.append((forward(one, view), one.batch_stats))
    same(outputs, jnp.stack([value for value, _ in alone]))
    assert np.abs(alone[0][0] - alone[1][0]).max() > 0.1
    # The mean of what each view alone would leave.
    same(run.batch_stats, jax.tree.map(lambda a, b: (a + b) / 2, alone[0][1], alone[1][1]))


def test_views_together_are_one_batch():
    nets, params, extra = normed()
    run, whole = nets.student(params, extra), nets.student(params, extra)
    outputs = run.together(forward, VIEWS)
    same(outputs, forward(whole, VIEWS.reshape(10, WIDTH)).reshape(2, 5, WIDTH))
    same(run.batch_stats, whole.batch_stats)
    assert np.abs(outputs - nets.student(params, extra).each(forward, VIEWS)).max() > 0.1


@pytest.mark.parametrize("of_views", [Run.each, Run.together])
def test_every_view_of_an_example_has_keys_of_its_own(of_views):
    nets = Networks(noisy=Noisy())
    params, extra = nets.init(jax.random.key(0), lambda net: net("noisy", VIEWS[0]))
    run = nets.student(params, extra, keys=KEYS)
    noise = of_views(run, lambda net, x: net("noisy", x), jnp.zeros_like(VIEWS))[..., 0]
    expected = [[jax.random.normal(jax.random.fold_in(key, view)) for key in KEYS] for view in (0, 1)]
    same(noise, np.array(expected))
    assert len(np.unique(noise)) == 10


def test_keys_are_told_in_training_only():
    nets = Networks(noisy=Noisy())
    params, extra = nets.init(jax.random.key(0), lambda net: net("noisy", VIEWS[0]), tracked=["noisy"])
    zeros = jnp.zeros((5, 1))
    assert np.abs(nets.student(params, extra, keys=KEYS)("noisy", zeros)).min() > 0
    for run in (nets.student(params, extra), nets.teacher(params, extra), nets.frozen(params, extra)):
        assert not np.any(run("noisy", zeros))
    still, _ = as_network(Noisy()).apply(params["noisy"], {}, zeros, train=False, keys=KEYS, axis_name=None)
    assert not np.any(still)


def test_a_fork_leaves_the_statistics_as_they_are():
    nets, params, extra = normed()
    run = nets.student(params, extra, keys=KEYS)
    fork = run.fork(keys=KEYS[:2])
    forward(fork, VIEWS[1])
    same(run.batch_stats, extra["batch_stats"])
    assert np.abs(jax.tree.leaves(fork.batch_stats)[0] - jax.tree.leaves(extra["batch_stats"])[0]).max() > 0.01
    assert len(fork.keys) == 2 and len(run.keys) == 5 and fork.train and fork.params is run.params


def test_statistics_move_in_training_and_are_used_outside():
    nets, params, extra = normed()
    run = nets.student(params, extra)
    first = forward(run, VIEWS[0])
    moved = networks.updates(run)["batch_stats"]
    assert np.abs(jax.tree.leaves(moved)[0] - jax.tree.leaves(extra["batch_stats"])[0]).max() > 0.01
    frozen = nets.frozen(params, {"batch_stats": moved})
    assert np.abs(forward(frozen, VIEWS[0]) - first).max() > 0.1
    same(frozen.batch_stats, moved)
    same(forward(frozen, VIEWS[0][:1]), forward(frozen, VIEWS[0])[:1])  # no example sees another


def test_the_teacher_has_statistics_of_its_own():
    nets, params, extra = normed()
    own, theirs = extra["teacher_batch_stats"], extra["batch_stats"]
    same(own, theirs)
    buffers = [{leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(tree)} for tree in (own, theirs)]
    assert not buffers[0] & buffers[1]  # a step may donate both
    student, teacher = nets.student(params, extra), nets.teacher(params, extra)
    forward(teacher, VIEWS[1])
    updates = networks.updates(student, teacher)
    same(updates["batch_stats"], theirs)
    assert np.abs(jax.tree.leaves(updates["teacher_batch_stats"])[0] - jax.tree.leaves(own)[0]).max() > 0.01


def test_only_what_is_tracked_has_a_teacher():
    nets = Networks(encoder=MLP((4, 4)), projector=MLP((4, 4)))
    every = lambda net: net.chain(nets.by_name, VIEWS[0])  # noqa: E731
    _, extra = nets.init(jax.random.key(0), every, tracked=["encoder"])
    assert extra["batch_stats"].keys() == {"encoder", "projector"} and extra["teacher_batch_stats"].keys() == {
        "encoder"
    }
    assert nets.init(jax.random.key(0), every)[1].keys() == {"batch_stats"}


@pytest.mark.parametrize("of_views", [Run.each, Run.together])
def test_parameters_are_made_once_each_from_a_key_of_its_own(of_views):
    nets = Networks(a=nn.Dense(WIDTH), b=nn.Dense(WIDTH), c=MLP((WIDTH, WIDTH)))

    def both(net):
        return of_views(net, lambda net, x: net("c", net("b", net("a", net("a", x)))), VIEWS)

    params, extra = nets.init(jax.random.key(0), both)
    assert list(params) == ["a", "b", "c"] and extra["batch_stats"].keys() == {"c"}
    assert np.abs(params["a"]["kernel"] - params["b"]["kernel"]).max() > 0.01
    again, _ = nets.init(jax.random.key(0), both)
    same(params, again, rtol=0, atol=0)
    other, _ = nets.init(jax.random.key(1), both)
    assert np.abs(params["a"]["kernel"] - other["a"]["kernel"]).max() > 0.01
    assert both(nets.student(params, extra)).shape == VIEWS.shape


def test_a_forked_init_makes_parameters_in_the_one_place():
    nets = Networks(a=nn.Dense(WIDTH))
    params, _ = nets.init(jax.random.key(0), lambda net: net.fork(keys=None)("a", VIEWS[0]))
    assert params.keys() == {"a"}


def test_a_network_need_not_be_a_linen_module():
    nets = Networks(encoder=Doubler(), projector=nn.Dense(2))
    run_all = lambda net: net.chain(["encoder", "projector"], VIEWS[0])  # noqa: E731
    params, extra = nets.init(jax.random.key(0), run_all)
    assert params["encoder"]["start"].shape == (WIDTH,)
    student = nets.student(params, extra)
    before = float(student.batch_stats["encoder"]["calls"])
    same(student("encoder", VIEWS[0], scale=3.0), 6.0 * VIEWS[0])
    assert float(student.batch_stats["encoder"]["calls"]) == before + 1
    frozen = nets.frozen(params, extra)
    frozen("encoder", VIEWS[0])
    assert float(frozen.batch_stats["encoder"]["calls"]) == before


def test_a_module_is_told_what_its_call_names():
    class Told(nn.Module):
        """Gives back what it was told."""

        @nn.compact
        def __call__(self, x, *, train, axis_name, other=None):
            return jnp.array([train, axis_name == "data", other == "given"])

    run = Networks(told=Told()).student({"told": {}}, {"batch_stats": {}}, keys=KEYS, axis_name="data")
    assert run("told", VIEWS[0], other="given").tolist() == [True, True, True]
    assert Networks(told=Told()).frozen({"told": {}}, {})("told", VIEWS[0]).tolist() == [False, False, False]


def test_anything_else_is_no_network():
    assert isinstance(as_network(nn.Dense(2)), Linen)
    doubler = Doubler()
    assert as_network(doubler) is doubler
    for wrong in ("resnet18", nn.Dense, lambda x: x, None):
        with pytest.raises(
            ValueError, match="is no network: pass a flax.linen module, or an object with init and apply$"
        ):
            as_network(wrong)
