"""Named networks applied in a row, with their batch statistics: encoder, projector, predictor.

This is the boundary through which models enter: ``Network`` needs a module with ``init``/``apply`` and one function that
calls it, so any backbone that gives pure functions can take a linen module's place.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.models import heads, resnet, vit
from jssl.models.flat_dot import flat_dot


class Network(NamedTuple):
    """A linen module and how to call it: ``call(module, inputs, train, keys) -> outputs``."""

    module: Any
    call: Callable


def make_encoder(name: str, *, image_size: int, dtype=jnp.float32, **options) -> Network:
    """``resnet18``, ``resnet34``, ``resnet50``, ``resnet``, ``vit_tiny`` ... ``vit_huge`` or ``vit`` as a Network."""
    family, _, size = name.partition("_")
    module: Any
    if family == "vit":
        module = (
            vit.make(size, image_size=image_size, dtype=dtype, **options)
            if size
            else vit.ViT(image_size=image_size, dtype=dtype, **options)
        )
        return Network(module, lambda m, x, train, keys: m(x, keys=keys if train else None)[0])
    if family.startswith("resnet"):
        module = (
            resnet.ResNet(dtype=dtype, **options) if name == "resnet" else resnet.make(name, dtype=dtype, **options)
        )
        return Network(module, lambda m, x, train, keys: m(x, train=train))
    raise ValueError(f"no encoder {name!r}: use resnet18, resnet34, resnet50, resnet, vit_tiny ... vit_huge or vit")


def make_vit(method: str, name: str, **options) -> Network:
    """``make_encoder`` for methods that need patches; ValueError for an encoder that has none."""
    if not name.startswith("vit"):
        raise ValueError(f"{method} needs patches: use an encoder vit_tiny ... vit_huge or vit, not {name!r}")
    return make_encoder(name, **options)


def make_mlp(*features: int, dtype=jnp.float32, **options) -> Network:
    """A projector or predictor: Dense, batch norm and ReLU per layer but the last (``models.heads.MLP``)."""
    return Network(heads.MLP(features, dtype=dtype, **options), lambda m, x, train, keys: m(x, train=train))


def make_linear(features: int, *, dtype=jnp.float32) -> Network:
    """One Dense layer: a classifier or a linear projection."""
    return Network(nn.Dense(features, dot_general=flat_dot, dtype=dtype), lambda m, x, train, keys: m(x))


def make_dino_head(**options) -> Network:
    """An MLP with a normalised bottleneck before prototypes (``models.heads.DINOHead``)."""
    return Network(heads.DINOHead(**options), lambda m, x, train, keys: m(x, train=train))


BATCH_NORM = "batch norm runs over the whole batch"


def coupled(networks: Mapping[str, Network]) -> str:
    """Why accumulation would change these networks: ``BATCH_NORM``, or "" where no example sees another."""

    def has_batch_norm(module):
        return hasattr(module, "axis_name") and (
            getattr(module, "batch_norm", True) or getattr(module, "final_batch_norm", False)
        )

    return BATCH_NORM if any(has_batch_norm(network.module) for network in networks.values()) else ""


def init(networks: Mapping[str, Network], key, inputs) -> tuple[dict, dict]:
    """Returns (params, batch_stats), each a dict by network name; every network takes the output of the one before."""
    params, batch_stats = {}, {}
    for (name, network), k in zip(networks.items(), jax.random.split(key, len(networks))):
        variables = network.module.init(k, inputs, method=lambda m, x, n=network: n.call(m, x, True, None))
        params[name] = variables["params"]
        if "batch_stats" in variables:
            batch_stats[name] = variables["batch_stats"]
        inputs, _ = _apply(network, params[name], batch_stats.get(name), inputs, True, None, None)
    return params, batch_stats


def forward(
    networks: Mapping[str, Network], params, batch_stats, inputs, *, keys=None, axis_name=None, train: bool = True
) -> tuple[dict, dict]:
    """Applies the networks in a row. Returns (outputs by name, new batch statistics by name)."""
    outputs, new_stats = {}, {}
    for name, network in networks.items():
        inputs, stats = _apply(network, params[name], batch_stats.get(name), inputs, train, keys, axis_name)
        outputs[name] = inputs
        if stats:
            new_stats[name] = stats
    return outputs, new_stats


def _apply(network, params, stats, inputs, train, keys, axis_name):
    module = network.module
    if hasattr(module, "axis_name"):
        module = module.clone(axis_name=axis_name)  # batch norm over the global batch
    variables = {"params": params} | ({"batch_stats": stats} if stats else {})
    outputs, mutated = module.apply(
        variables, inputs, train, keys, method=network.call, mutable=["batch_stats"] if train else []
    )
    return outputs, mutated.get("batch_stats", stats)


def fold_in(keys, number):
    """A key per example for the view (or crop) ``number``; None stays None."""
    return None if keys is None else jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)


def forward_views(networks: Mapping[str, Network], params, batch_stats, views, *, keys=None, axis_name=None):
    """Applies the networks to every view by itself: batch norm takes the statistics of each view, as when the authors'
    code passes them one after another. One program for all views, so neither compile time nor parallelism suffers.

    Args:
      networks: as for ``forward``.
      params: as for ``forward``.
      batch_stats: as for ``forward``.
      views: (V, B, ...) inputs.
      keys: (B,) one per example; each view derives its own.
      axis_name: as for ``forward``.

    Returns:
      (outputs by name with a leading view axis, new batch statistics: the mean of what each view would leave).
    """

    def one(inputs, view):
        return forward(networks, params, batch_stats, inputs, keys=fold_in(keys, view), axis_name=axis_name)

    outputs, stats = jax.vmap(one)(views, jnp.arange(len(views)))
    return outputs, mean_over_micro_batches(stats)


def forward_together(networks: Mapping[str, Network], params, batch_stats, views, *, keys=None, axis_name=None):
    """As ``forward_views``, with the batch statistics of all views together (SimCLR)."""
    if keys is not None:
        keys = jnp.concatenate([fold_in(keys, view) for view in range(len(views))])
    merged = views.reshape(-1, *views.shape[2:])
    outputs, stats = forward(networks, params, batch_stats, merged, keys=keys, axis_name=axis_name)
    return jax.tree.map(lambda x: x.reshape(len(views), -1, *x.shape[1:]), outputs), stats


def mean_over_micro_batches(updates):
    """Statistics of K micro-batches -> their mean; the usual ``update_extra`` of batch statistics."""
    return jax.tree.map(lambda x: x.mean(0), updates)


def encode_with(encoder: Network) -> Callable:
    """The usual ``encode``: the encoder alone, in evaluation mode."""

    def encode(params, extra, images):
        return forward({"encoder": encoder}, params, extra.get("batch_stats", {}), images, train=False)[0]["encoder"]

    return encode
