"""Losses of methods that compare examples with each other."""

import numpy as np
from small import BATCH, cross, linear, mlp, one_hot, unit

from .case import ENCODER, among, by_hand, projections, projections_together


@by_hand("simclr", projector=(5, 4), temperature=0.5)
def simclr(v, p, fixed, extra, raw):
    z = unit(np.concatenate(projections_together(p, v["views"], final=True)))
    others = np.where(np.eye(2 * BATCH), -np.inf, z @ z.T / 0.5)
    losses = [-others[i, (i + BATCH) % (2 * BATCH)] + np.log(np.exp(others[i]).sum()) for i in range(2 * BATCH)]
    return np.mean(losses)


@by_hand("sup_con", projector=(5, 4), temperature=0.3)
def sup_con(v, p, fixed, extra, raw):
    z, labels = unit(np.concatenate(projections_together(p, v["views"], hidden=False))), np.tile(raw["label"], 2)
    logits = z @ z.T / 0.3
    losses = []
    for i in range(2 * BATCH):
        others = [j for j in range(2 * BATCH) if j != i]
        denominator = np.log(np.exp(logits[i, others]).sum())
        losses.append(-np.mean([logits[i, j] - denominator for j in others if labels[j] == labels[i]]))
    return np.mean(losses)


def against_queue(queries, keys, queue, temperature):
    positive = (unit(queries) * unit(keys)).sum(1, keepdims=True)
    logits = np.concatenate([positive, unit(queries) @ unit(queue).T], 1) / temperature
    return cross(one_hot(np.zeros(len(logits), int), logits.shape[1]), logits).mean()


def moco_embed(params, images):
    return mlp(params["projector"], ENCODER(params["encoder"], images).pooled, hidden=False)


@by_hand("moco", projector=(5, 4), temperature=0.2, queue_size=6)
def moco(v, p, teacher, extra, raw):
    return against_queue(moco_embed(p, v["a"]), moco_embed(teacher, v["b"]), extra["queue"], 0.2)


@by_hand("moco-symmetric", projector=(5, 4), temperature=0.2, queue_size=9, symmetric=True)
def moco_symmetric(v, p, teacher, extra, raw):
    return (moco(v, p, teacher, extra, raw) + moco({"a": v["b"], "b": v["a"]}, p, teacher, extra, raw)) / 2


def moco_v1_embed(params, images):
    return linear(params["projector"], ENCODER(params["encoder"], images).pooled)


@by_hand("moco_v1", dim=4, temperature=0.07, queue_size=6)
def moco_v1(v, p, teacher, extra, raw):
    return against_queue(moco_v1_embed(p, v["a"]), moco_v1_embed(teacher, v["b"]), extra["queue"], 0.07)


@by_hand("moco_v3", projector=(5, 4), predictor=(5, 4), temperature=0.2)
def moco_v3(v, p, teacher, extra, raw):
    q_a, q_b = (unit(mlp(p["predictor"], z, final=True)) for z in projections(p, v["views"], final=True))
    k_a, k_b = (unit(z) for z in projections(teacher, v["views"], final=True))
    return 2 * 0.2 * (among(q_a, k_b, 0.2) + among(q_b, k_a, 0.2))


@by_hand("moco_v3-open_ended", projector=(5, 4), predictor=(5, 4), temperature=1.0, final_batch_norm=False)
def moco_v3_open_ended(v, p, teacher, extra, raw):
    q_a, q_b = (unit(mlp(p["predictor"], z)) for z in projections(p, v["views"], final=True))
    k_a, k_b = (unit(z) for z in projections(teacher, v["views"], final=True))
    return 2 * (among(q_a, k_b, 1.0) + among(q_b, k_a, 1.0))


@by_hand("align_uniform", projector=(5, 4), alpha=1.5, t=3.0, align_weight=3.0, uniform_weight=2.0)
def align_uniform(v, p, fixed, extra, raw):
    a, b = (unit(z) for z in projections_together(p, v["views"]))

    def uniformity(x):
        pairs = [((x[i] - x[j]) ** 2).sum() for i in range(BATCH) for j in range(i)]
        return np.log(np.exp(-3.0 * np.array(pairs)).mean())

    return 3.0 * (np.linalg.norm(a - b, axis=1) ** 1.5).mean() + 2.0 * (uniformity(a) + uniformity(b)) / 2


@by_hand("spectral", projector=(5, 4), mu=2.0)
def spectral(v, p, fixed, extra, raw):
    a, b = (
        z * np.minimum(1, np.sqrt(2.0) / np.linalg.norm(z, axis=1, keepdims=True))
        for z in projections(p, v["views"], final=True)
    )
    products = a @ b.T
    apart = products[~np.eye(BATCH, dtype=bool)]
    return (-2 * np.trace(products) / BATCH + (apart**2).mean()) / 2.0
