"""What the multi-crop methods share: one pass of the encoder per resolution and one of the head, a temperature that rises,
balanced targets, and what to watch in them."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.scipy.special import entr

from jssl import collectives, objectives
from jssl.methods import networks


def crops_first(crops):
    """(B, C, h, w, 3) -> (C * B, h, w, 3), crop-major as the objectives want them."""
    return jnp.swapaxes(crops, 0, 1).reshape(-1, *crops.shape[2:])


def warmup(step, start: float, end: float, steps: int):
    """Rises linearly from ``start`` at step 0 to ``end`` at ``steps``, and stays."""
    return start + (end - start) * jnp.minimum(step / max(steps, 1), 1.0)


def check_centering(centering: str) -> None:
    """Raises a ValueError for a way to balance targets that ``targets`` does not know."""
    if centering not in ("softmax", "sinkhorn"):
        raise ValueError(f"no centering {centering!r}: use softmax or sinkhorn")


def targets(logits, mask, center, *, centering: str, temperature, center_momentum: float, axis_name):
    """The teacher's targets, kept from naming one prototype for all images.

    Args:
      logits: (N, K) of the teacher.
      mask: (N,) bool, the rows that count.
      center: (K,) running mean of the logits; not read by "sinkhorn".
      centering: ``"softmax"`` of the centred logits, or ``"sinkhorn"``, three iterations that balance the batch.
      temperature: of either.
      center_momentum: EMA momentum of the centre.
      axis_name: mapped axes that the batch is split over.

    Returns:
      ((N, K) float32 probabilities, the next centre: None with "sinkhorn").
    """
    logits = jax.lax.stop_gradient(logits)
    if centering == "sinkhorn":
        balance = {"epsilon": temperature, "num_iterations": 3, "axis_name": axis_name}
        return objectives.sinkhorn(logits, mask=mask, **balance), None
    total = collectives.sum(jnp.sum(jnp.where(mask[:, None], logits, 0.0), 0), axis_name)
    count = collectives.sum(jnp.sum(mask.astype(jnp.float32)), axis_name)
    mean = jnp.where(count > 0, total / jnp.maximum(count, 1.0), center)
    new_center = objectives.update_center(center, mean, momentum=center_momentum)
    return objectives.softmax_center(logits, center, temperature=temperature), new_center


def target_metrics(targets, axis_name) -> dict:
    """(..., K) target distributions -> how undecided one is (nats; log K is uniform) and how many prototypes are in use.

    Entropy near log K, or a perplexity near 1, is what collapse looks like.

    >>> for targets in (jnp.eye(4), jnp.full((4, 4), 0.25), jnp.eye(4)[jnp.zeros(4, int)]):
    ...     print([round(float(value), 2) for value in target_metrics(targets, None).values()])
    [0.0, 4.0]
    [1.39, 4.0]
    [0.0, 1.0]
    """
    usage = collectives.mean(targets.mean(tuple(range(targets.ndim - 1))), axis_name)
    entropy = jnp.sum(entr(targets), -1).mean()
    return {"target_entropy": entropy, "prototype_perplexity": jnp.exp(jnp.sum(entr(usage)))}


def forward_crops(
    encoder: networks.Network, head: Mapping[str, networks.Network], params, batch_stats, batch, *, keys, axis_name
):
    """Applies the encoder to the global and to the local crops, and the head's networks to all of them.

    The encoder's running batch statistics are those of the global crops: features are read from whole images, which
    small crops are not like. The authors' code of SwAV and DINO lets the local crops, which come last, weigh more.

    Args:
      encoder: the network called ``encoder`` in ``params``.
      head: the networks after it, applied in a row.
      params: by network name.
      batch_stats: by network name.
      batch: ``global`` (B, G, S, S, 3) and, where there are any, ``local`` (B, L, s, s, 3), see ``views.multi_crop``.
      keys: (B,) one per example; each crop derives its own.
      axis_name: mapped axes that the batch is split over.

    Returns:
      (outputs of the head's networks by name, each (G + L, B, ...); encoder features of the global crops (G, B, D);
      new batch statistics).
    """
    features: list[jax.Array] = []
    count = 0
    for crops in (batch[name] for name in ("global", "local") if name in batch):
        crop_keys = jnp.concatenate([networks.fold_in(keys, count + c) for c in range(crops.shape[1])])
        outputs, stats = networks.forward(
            {"encoder": encoder}, params, batch_stats, crops_first(crops), keys=crop_keys, axis_name=axis_name
        )
        if not features:
            batch_stats = {**batch_stats, **stats}
        features.append(outputs["encoder"])
        count += crops.shape[1]
    outputs, stats = networks.forward(head, params, batch_stats, jnp.concatenate(features), axis_name=axis_name)

    def split(x):
        return x.reshape(-1, len(keys), *x.shape[1:])

    return jax.tree.map(split, outputs), split(features[0]), {**batch_stats, **stats}
