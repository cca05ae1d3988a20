"""The networks of a method by name, and the one way to call them.

A method writes its forward pass once, as a function of a ``Run``: ``net("encoder", images)`` calls the network of that
name, however networks are composed (a chain, two towers, encoder and decoder). The run carries what every call needs:
parameters, batch statistics, per-example keys and the axis that the batch is split over. The same function initialises
the networks: on the first call of a name its parameters are made.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl import sharding
from jssl.models import Features

_TOLD = ("train", "keys", "axis_name")


class Network(Protocol):
    """What takes part in a method. A linen module is wrapped by ``Linen``; anything else brings these two functions."""

    def init(self, key, *inputs, **options) -> tuple[dict, dict]:
        """(params, batch statistics), each a nested dict of arrays, the latter empty where there are none."""

    def apply(self, params, batch_stats, *inputs, train, keys, axis_name, **options) -> tuple[Any, dict]:
        """(outputs, new batch statistics)."""


class Linen(NamedTuple):
    """A linen module as a Network.

    Its ``__call__`` is told ``train`` (use and update batch statistics), ``keys`` ((B,) per-example keys, None outside
    training) and ``axis_name`` (over which batch norm takes its statistics) where it names them.
    """

    module: nn.Module

    def init(self, key, *inputs, **options):
        """See ``Network``."""
        variables = self.module.init(key, *inputs, **self._told(train=True, keys=None, axis_name=None), **options)
        return variables.get("params", {}), variables.get("batch_stats", {})

    def apply(self, params, batch_stats, *inputs, train, keys, axis_name, **options):
        """See ``Network``."""
        told = self._told(train=train, keys=keys if train else None, axis_name=axis_name)
        variables = {"params": params} | ({"batch_stats": batch_stats} if batch_stats else {})
        outputs, mutated = self.module.apply(variables, *inputs, **told, **options, mutable=["batch_stats"])
        return outputs, mutated.get("batch_stats", batch_stats)

    def _told(self, **values):
        asked = inspect.signature(type(self.module).__call__).parameters
        return {name: values[name] for name in _TOLD if name in asked}


def as_network(module) -> Network:
    """A linen module, or an object with the functions of ``Network``, as a Network."""
    if isinstance(module, nn.Module):
        return Linen(module)
    has_both = callable(getattr(module, "init", None)) and callable(getattr(module, "apply", None))
    if has_both and not isinstance(module, type):  # a class has them, too: it is what was meant to be called first
        return module
    raise ValueError(f"{module!r} is no network: pass a flax.linen module, or an object with init and apply")


class Run:
    """Networks in use: ``run(name, *inputs, **options)``; see ``Networks``.

    Attributes:
      batch_stats: by network name, as the calls so far have left them.
      keys: (B,) one per example, or None.
    """

    def __init__(self, networks, params, batch_stats, *, train, keys=None, axis_name=None, key=None):
        self._networks, self.params, self.batch_stats = networks, params, batch_stats
        self.train, self.keys, self.axis_name, self._key = train, keys, axis_name, key

    def __call__(self, name: str, *inputs, **options):
        """Calls a network; its new batch statistics replace the old ones."""
        network = self._networks[name]
        if self._key is not None and name not in self.params:
            key = jax.random.fold_in(self._key, len(self.params))
            self.params[name], statistics = network.init(key, *inputs, **options)
            if statistics:
                self.batch_stats = {**self.batch_stats, name: statistics}
        params = self.params[name]
        if not isinstance(getattr(network, "network", network), Linen):  # linen modules put together what they ask for
            params = sharding.unbox(params)
        outputs, statistics = network.apply(
            params,
            self.batch_stats.get(name, {}),
            *inputs,
            train=self.train,
            keys=self.keys,
            axis_name=self.axis_name,
            **options,
        )
        if statistics and self._key is None:  # what networks are made on is no data
            self.batch_stats = {**self.batch_stats, name: statistics}
        return outputs

    def chain(self, names: Iterable[str], inputs) -> dict[str, Any]:
        """Calls networks in a row, each on the (pooled) output of the one before: name -> output."""
        outputs = {}
        for name in names:
            inputs = self(name, inputs)
            inputs = inputs.pooled if isinstance(inputs, Features) else inputs
            outputs[name] = inputs
        return outputs

    def fork(self, *, keys=None) -> "Run":
        """A run with other keys, whose batch statistics are its own: those of this one stay as they are."""
        if self._key is not None:  # while networks are made, all calls make them in one place
            return self
        return Run(self._networks, self.params, self.batch_stats, train=self.train, keys=keys, axis_name=self.axis_name)

    def each(self, forward: Callable[["Run", Any], Any], views) -> Any:
        """``forward(run, view)`` of every view by itself: batch norm takes the statistics of each, as when the authors' code
        passes one after another. One program for all views, so neither compile time nor parallelism suffers.

        Args:
          forward: gives a tree of arrays.
          views: (V, B, ...).

        Returns:
          The tree with a leading view axis. The new batch statistics are the mean of what each view would leave.
        """
        if self._key is not None:  # the first view is enough to make the parameters
            one = forward(self, jax.tree.map(lambda x: x[0], views))
            count = len(jax.tree.leaves(views)[0])
            return jax.tree.map(lambda x: jnp.broadcast_to(x[None], (count, *x.shape)), one)

        def alone(view, number):
            run = self.fork(keys=fold_in(self.keys, number))
            return forward(run, view), run.batch_stats

        outputs, statistics = jax.vmap(alone)(views, jnp.arange(len(jax.tree.leaves(views)[0])))
        self.batch_stats = jax.tree.map(lambda x: x.mean(0), statistics)
        return outputs

    def together(self, forward: Callable[["Run", Any], Any], views) -> Any:
        """As ``each``, in one pass: batch norm takes the statistics of all views together (SimCLR)."""
        count = len(jax.tree.leaves(views)[0])
        keys = self.keys
        if keys is not None:
            keys = jnp.concatenate([fold_in(keys, number) for number in range(count)])
        run = self.fork(keys=keys)
        outputs = forward(run, jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), views))
        self.batch_stats = run.batch_stats
        return jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), outputs)


class Networks:
    """The networks of a method.

    Args:
      **modules: by name: linen modules or Networks.

    >>> networks = Networks(encoder=nn.Dense(3), projector=nn.Dense(2))
    >>> forward = lambda net, x: net("projector", net("encoder", x))
    >>> params, extra = networks.init(jax.random.key(0), lambda net: forward(net, jnp.ones((1, 4))))
    >>> sorted(params), forward(networks.student(params, extra), jnp.ones((5, 4))).shape
    (['encoder', 'projector'], (5, 2))
    """

    def __init__(self, **modules):
        self.by_name: Mapping[str, Network] = {name: as_network(module) for name, module in modules.items()}

    def init(self, key, forward: Callable[[Run], Any], *, tracked: Iterable[str] | None = None) -> tuple[dict, dict]:
        """Runs ``forward`` once and returns the (params, extra) it asks for.

        Args:
          key: PRNG key.
          forward: the forward pass, as a function of the run.
          tracked: names of the networks that an EMA teacher has too, with batch statistics of its own; None without one.
        """
        run = Run(self.by_name, {}, {}, train=True, key=key)
        forward(run)
        extra = {"batch_stats": run.batch_stats}
        if tracked is not None:
            # The barrier makes them buffers of their own, which the step may donate.
            own = {name: run.batch_stats[name] for name in tracked if name in run.batch_stats}
            extra["teacher_batch_stats"] = jax.lax.optimization_barrier(own)
        return run.params, extra

    def student(self, params, extra, *, keys=None, axis_name=None) -> Run:
        """The networks in training."""
        return Run(self.by_name, params, extra["batch_stats"], train=True, keys=keys, axis_name=axis_name)

    def teacher(self, params, extra, *, axis_name=None) -> Run:
        """The EMA networks in training: batch statistics of their own, no randomness."""
        return Run(self.by_name, params, extra["teacher_batch_stats"], train=True, axis_name=axis_name)

    def frozen(self, params, extra) -> Run:
        """The networks in use: running statistics, no randomness."""
        return Run(self.by_name, params, extra.get("batch_stats", {}), train=False)


def updates(student: Run, teacher: Run | None = None) -> dict:
    """What the batch statistics of the runs contribute to ``extra``."""
    found = {"batch_stats": student.batch_stats}
    return found if teacher is None else {**found, "teacher_batch_stats": teacher.batch_stats}


def fold_in(keys, number):
    """A key per example for the view (or crop) ``number``; None stays None."""
    return None if keys is None else jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
