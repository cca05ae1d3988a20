"""Losses of two networks, or of one seen twice, without negatives."""

import jax
import numpy as np
from small import BATCH, mlp, standardize, unit

from .case import ENCODER, STEP, by_hand, crops, projections


@by_hand("byol", projector=(5, 4), predictor=(3, 4))
def byol(v, p, teacher, extra, raw):
    p_a, p_b = (unit(mlp(p["predictor"], z)) for z in projections(p, v["views"]))
    z_a, z_b = (unit(z) for z in projections(teacher, v["views"]))
    return ((p_a - z_b) ** 2).sum(1).mean() + ((p_b - z_a) ** 2).sum(1).mean()


@by_hand("simsiam", projector=(5, 4), predictor=(3, 4))
def simsiam(v, p, fixed, extra, raw):
    p_a, p_b = (unit(mlp(p["predictor"], z)) for z in projections(p, v["views"], final=True))
    z_a, z_b = (unit(z) for z in projections(fixed, v["views"], final=True))
    return -(p_a * z_b).sum(1).mean() / 2 - (p_b * z_a).sum(1).mean() / 2


@by_hand("barlow_twins", projector=(5, 4), off_diagonal_weight=0.1)
def barlow_twins(v, p, fixed, extra, raw):
    a, b = (standardize(z, 0, 1e-5) for z in projections(p, v["views"]))
    c = a.T @ b / BATCH
    return ((1 - np.diag(c)) ** 2).sum() + 0.1 * (c[~np.eye(4, dtype=bool)] ** 2).sum()


@by_hand("vicreg", projector=(5, 4), invariance=3.0, variance=5.0, covariance=2.0)
def vicreg(v, p, fixed, extra, raw):
    a, b = projections(p, v["views"])

    def spread(z):
        c = np.cov(z.T)
        return np.maximum(0, 1 - np.sqrt(np.diag(c) + 1e-4)).mean(), (c[~np.eye(4, dtype=bool)] ** 2).sum() / 4

    (v_a, c_a), (v_b, c_b) = spread(a), spread(b)
    return 3.0 * ((a - b) ** 2).mean() + 5.0 * (v_a + v_b) / 2 + 2.0 * (c_a + c_b)


@by_hand("lejepa", crops={"num_local": 2, "local_size": 4}, projector=(5, 4), weight=0.3, num_slices=6)
def lejepa(v, p, fixed, extra, raw):
    pooled = np.concatenate([ENCODER(p["encoder"], x).pooled for x in crops(v["global"]) + crops(v["local"])])
    z = mlp(p["projector"], pooled).reshape(4, BATCH, -1)
    along = unit(np.asarray(jax.random.normal(jax.random.fold_in(jax.random.key(0), STEP), (4, 6)), float).T)
    t = np.linspace(-5, 5, 17)
    normal = np.exp(-(t**2) / 2)
    empirical = np.exp(1j * np.einsum("vnd,md,t->vnmt", z, along, t)).mean(1)
    spread = BATCH * np.trapezoid(abs(empirical - normal) ** 2 * normal, t).mean()
    return 0.7 * ((z - z[:2].mean(0)) ** 2).mean() + 0.3 * spread
