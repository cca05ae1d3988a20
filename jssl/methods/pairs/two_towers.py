"""Two towers that meet in one space: one for pictures and one for captions, or for any other two fields of an example."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl import objectives
from jssl.methods import networks
from jssl.methods.heads import linear
from jssl.methods.method import Aux, Method, Readout
from jssl.methods.networks import Network, Networks, Run
from jssl.models import Features


class Scale(nn.Module):
    """The learnt scale of similarities, exp(t), and a bias.

    Attributes:
      scale: at the start.
      bias: at the start.
      largest: the scale is cut off there.
    """

    scale: float
    bias: float
    largest: float

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array]:
        """(scale, bias), float32 scalars."""
        log_scale = self.param("log_scale", nn.initializers.constant(math.log(self.scale)), (), jnp.float32)
        bias = self.param("bias", nn.initializers.constant(self.bias), (), jnp.float32)
        return jnp.exp(jnp.minimum(log_scale, math.log(self.largest))), bias


class Tower(NamedTuple):
    """One of the two.

    Attributes:
      name: of its readout and of its network; its projection is ``<name>_projection``.
      network: what it learns.
      field: name of what it reads, among the views.
      view: (key, example) -> that, as it is trained on.
      prepare: example -> that, as the readout takes it.
      features: (run, inputs) -> (B, D), what is projected.
      parts: inputs -> those of S parts of each example, stacked in front, which find their counterparts each by itself; None
        takes examples whole.
    """

    name: str
    network: Network
    field: str
    view: Any  # mypy takes no named tuple for a Callable
    prepare: Callable
    features: Callable[[Run, Any], jax.Array]
    parts: Callable[[Any], Any] | None = None


def two_towers(
    name: str,
    first: Tower,
    second: Tower,
    *,
    fields: frozenset[str],
    width: int,
    scale: Scale,
    compare: Callable,
    dtype: Any,
) -> Method:
    """Builds the method record. Its readouts are what the towers say in the common space, by their names.

    Args:
      name: of the method.
      first: the tower of the default readout.
      second: the other one.
      fields: what an example must hold.
      width: of the common space.
      scale: of the similarities.
      compare: (first (N, D), second (N, D), scale, bias, axis_name) -> loss, of normalised features, row i of one belonging to
        row i of the other; N is B, or the number of all parts.
      dtype: of the computation.
    """
    towers = (first, second)
    nets = Networks(
        **{tower.name: tower.network for tower in towers},
        **{f"{tower.name}_projection": linear(width, dtype) for tower in towers},
        scale=scale,
    )

    def make_views(key, example):
        keys = jax.random.split(key)
        return {tower.field: tower.view(own, example) for tower, own in zip(towers, keys)}

    def project(tower, net, inputs):
        """(B, D), or (S, B, D) of parts, of unit length."""

        def one(net, inputs):
            return objectives.l2_normalize(net(f"{tower.name}_projection", tower.features(net, inputs)))

        return one(net, inputs) if tower.parts is None else net.each(one, tower.parts(inputs))

    def forward(net, batch):
        return *(project(tower, net, batch[tower.field]) for tower in towers), *net("scale")

    def init(key, batch):
        return nets.init(key, lambda net: forward(net, batch))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        *found, factor, bias = forward(net, batch)
        value = compare(*(x.reshape(-1, x.shape[-1]) for x in found), factor, bias, axis_name)
        return value, Aux(networks.updates(net), {"scale": factor}, _whole(found[0]).pooled)

    def readout(tower):
        def apply(params, extra, inputs):
            return _whole(project(tower, nets.frozen(params, extra), inputs))

        return Readout(tower.prepare, apply)

    return Method(
        name,
        fields,
        make_views,
        init,
        loss,
        {tower.name: readout(tower) for tower in towers},
        coupled="the other examples of the batch are the negatives",
        fewest=2,
    )


def _whole(x: jax.Array) -> Features:
    """An example's features; of parts these are all of them, side by side: cosines are the mean over the parts."""
    return Features(x) if x.ndim == 2 else Features(jnp.concatenate(list(x), -1), jnp.swapaxes(x, 0, 1))
