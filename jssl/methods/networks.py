"""Named networks applied in a row, with their batch statistics: encoder, projector, predictor.

This is the boundary through which models enter: ``Network`` needs a module with ``init``/``apply`` and one function that
calls it, so any backbone that gives pure functions can take a linen module's place.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jssl.models import heads, resnet, vit


class Network(NamedTuple):
    """A linen module and how to call it: ``call(module, inputs, train, keys) -> outputs``."""

    module: Any
    call: Callable


def make_encoder(name: str, *, image_size: int, dtype=jnp.float32, **options) -> Network:
    """``resnet18``, ``resnet34``, ``resnet50``, ``resnet``, ``vit_tiny`` ... ``vit_huge`` or ``vit`` as a Network."""
    family, _, size = name.partition("_")
    module: Any
    if family == "vit":
        module = vit.make(size, image_size=image_size, dtype=dtype, **options) if size else vit.ViT(
            image_size=image_size, dtype=dtype, **options)  # fmt: skip
        return Network(module, lambda m, x, train, keys: m(x, keys=keys if train else None)[0])
    if family.startswith("resnet"):
        module = (
            resnet.ResNet(dtype=dtype, **options) if name == "resnet" else resnet.make(name, dtype=dtype, **options)
        )
        return Network(module, lambda m, x, train, keys: m(x, train=train))
    raise ValueError(f"no encoder {name!r}: use resnet18, resnet34, resnet50, resnet, vit_tiny ... vit_huge or vit")


def make_mlp(*features: int, dtype=jnp.float32, **options) -> Network:
    """A projector or predictor: Dense, batch norm and ReLU per layer but the last (``models.heads.MLP``)."""
    return Network(heads.MLP(features, dtype=dtype, **options), lambda m, x, train, keys: m(x, train=train))


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


def mean_over_micro_batches(updates):
    """Statistics of K micro-batches -> their mean; the usual ``update_extra`` of batch statistics."""
    return jax.tree.map(lambda x: x.mean(0), updates)


def encode_with(encoder: Network) -> Callable:
    """The usual ``encode``: the encoder alone, in evaluation mode."""

    def encode(params, extra, images):
        return forward({"encoder": encoder}, params, extra.get("batch_stats", {}), images, train=False)[0]["encoder"]

    return encode
