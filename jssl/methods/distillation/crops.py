"""One pass of the encoder per resolution and one of the head, for the methods that see many crops."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp

from jssl.methods import networks
from jssl.methods.networks import Run


def crops_first(crops):
    """(B, C, ...) -> (C * B, ...), crop-major as the objectives want them."""
    return jnp.swapaxes(crops, 0, 1).reshape(-1, *crops.shape[2:])


def encode_crops(net: Run, batch, **options) -> list:
    """``Features`` of the global crops, then of the local ones where there are any; each crop has keys of its own.

    The encoder's running batch statistics are those of the global crops: features are read from whole pictures, which
    small crops are not like. The authors' code of SwAV and DINO lets the local crops, which come last, weigh more.

    Args:
      net: the student.
      batch: ``global`` (B, G, S, S, 3) and perhaps ``local`` (B, L, s, s, 3), see ``views.multi_crop``.
      **options: of the encoder's call on the global crops.
    """

    def keys(first, crops):
        if net.keys is None:
            return None
        return jnp.concatenate([networks.fold_in(net.keys, first + crop) for crop in range(crops)])

    number = batch["global"].shape[1]
    run = net.fork(keys=keys(0, number))
    features = [run("encoder", crops_first(batch["global"]), **options)]
    net.batch_stats = run.batch_stats
    if "local" in batch:
        run = net.fork(keys=keys(number, batch["local"].shape[1]))
        features.append(run("encoder", crops_first(batch["local"])))
    return features


def forward_crops(net: Run, head: Iterable[str], batch) -> tuple[dict, jax.Array]:
    """Applies the encoder to all crops and the head's networks, in a row, to their features.

    Returns:
      (outputs of the head's networks by name, each (G + L, B, ...); features of the global crops (G, B, D)).
    """
    features = [crops.pooled for crops in encode_crops(net, batch)]
    outputs = net.chain(head, jnp.concatenate(features))

    def split(x):
        return x.reshape(-1, len(batch["global"]), *x.shape[1:])

    return jax.tree.map(split, outputs), split(features[0])
