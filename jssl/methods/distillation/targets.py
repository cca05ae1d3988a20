"""The teacher's targets where only some rows count, and what to watch in targets."""

import jax
import jax.numpy as jnp
from jax.scipy.special import entr

from jssl import collectives, objectives
from jssl.methods.options import Centering


def masked_targets(logits, mask, center, *, centering: Centering, temperature, axis_name):
    """Targets of the rows that count, kept from naming one prototype for all of them.

    Args:
      logits: (N, K) of the teacher.
      mask: (N,) bool, the rows that count.
      center: (K,) running mean of the logits; not read by "sinkhorn".
      centering: how.
      temperature: of either.
      axis_name: mapped axes that the batch is split over.

    Returns:
      ((N, K) float32 probabilities, the next centre: None with "sinkhorn").
    """
    logits = jax.lax.stop_gradient(logits)
    if centering.kind == "sinkhorn":
        balance = {"epsilon": temperature, "num_iterations": 3, "axis_name": axis_name}
        return objectives.sinkhorn(logits, mask=mask, **balance), None
    total = collectives.sum(jnp.sum(jnp.where(mask[:, None], logits, 0.0), 0), axis_name)
    count = collectives.sum(jnp.sum(mask.astype(jnp.float32)), axis_name)
    mean = jnp.where(count > 0, total / jnp.maximum(count, 1.0), center)
    new_center = objectives.update_center(center, mean, momentum=centering.momentum)
    return objectives.softmax_center(logits, center, temperature=temperature), new_center


def target_metrics(targets, cross_entropy, axis_name) -> dict:
    """What to watch in targets: how undecided one is, how many prototypes are in use, how far off the predictions are.

    Log of the perplexity minus the entropy is what a target tells of its picture, in nats: 0 is a collapse, on one prototype
    or on all alike.

    Args:
      targets: (..., K) distributions.
      cross_entropy: between these and the student's, the mean over the global batch.
      axis_name: mapped axes that the batch is split over.

    Returns:
      ``target_entropy``, the mean, in nats, log K where targets are uniform; ``prototype_perplexity``, exp of the entropy of
      their mean; ``prototypes_used``, the share of the prototypes that some target names first, at most targets / K;
      ``target_kl``, the mean divergence of the student's predictions from them, in nats.

    >>> for targets in (jnp.eye(4), jnp.full((4, 4), 0.25), jnp.eye(4)[jnp.zeros(4, int)]):
    ...     print([round(float(value), 2) for value in target_metrics(targets, 2.0, None).values()])
    [0.0, 4.0, 1.0, 2.0]
    [1.39, 4.0, 0.25, 0.61]
    [0.0, 1.0, 0.25, 2.0]
    """
    usage = collectives.mean(targets.mean(tuple(range(targets.ndim - 1))), axis_name)
    first = jax.nn.one_hot(jnp.argmax(targets, -1).reshape(-1), targets.shape[-1])
    entropy = jnp.sum(entr(targets), -1).mean()
    return {
        "target_entropy": entropy,
        "prototype_perplexity": jnp.exp(jnp.sum(entr(usage))),
        "prototypes_used": jnp.mean(collectives.sum(first.sum(0), axis_name) > 0),
        "target_kl": cross_entropy - entropy,
    }
