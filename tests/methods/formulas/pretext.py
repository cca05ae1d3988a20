"""Losses of pretext tasks, and of labels."""

import numpy as np
import small
from small import PATCH, WHOLE, cross, linear, mlp, one_hot, standardize

from jssl import views

from .case import ENCODER, FINE, by_hand, crops


def classified(p, pieces):
    """Logits of the concatenated features of pieces (B, P, s, s, 3), through one hidden layer."""
    features = [ENCODER(p["encoder"], x).pooled for x in crops(pieces)]
    return mlp(p["classifier"], np.concatenate(features, 1))


@by_hand("rotation", image=WHOLE, classifier=(5,))
def rotation(v, p, fixed, extra, raw):
    pictures = small.normalized(raw["image"])
    turns = [
        next(k for k in range(4) if np.allclose(np.rot90(whole, k), turned[0], atol=1e-5))
        for whole, turned in zip(pictures, v["pieces"])
    ]
    assert len(set(turns)) > 1
    return cross(one_hot(turns, 4), classified(p, v["pieces"])).mean()


@by_hand("relative_position", image=WHOLE, patch=2, gap=1, jitter=0, classifier=(5,))
def relative_position(v, p, fixed, extra, raw):
    """Three patches and two gaps fill the picture: the centre can only be in its middle."""
    away = np.array([[-1.0, 2.0, -1.0]])  # green and magenta, which chromatic aberration parts
    projected = raw["image"] / 255.0 @ (np.eye(3) - away.T @ away / 6)

    def cut(whole, row, column):
        piece = whole[row : row + 2, column : column + 2]
        piece = piece - piece.mean((0, 1))
        return piece / np.sqrt((piece**2).mean())

    sides = [(3 + 3 * i, 3 + 3 * j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    labels = []
    for whole, (center, neighbor) in zip(projected, v["pieces"]):
        np.testing.assert_allclose(center, cut(whole, 3, 3), atol=1e-4)
        labels.append(next(k for k, at in enumerate(sides) if np.allclose(neighbor, cut(whole, *at), atol=1e-4)))
    return cross(one_hot(labels, 8), classified(p, v["pieces"])).mean()


def cut_from(cell, tile):
    """Whether each channel of a tile is part of this cell, standardised; of a grey picture, all of its lightness."""

    def parts(plane):
        return [standardize(plane[i : i + 3, j : j + 3], (0, 1), 0.0) for i in (0, 1) for j in (0, 1)]

    grey = np.repeat(cell @ [[0.299], [0.587], [0.114]], 3, 2)
    return any(
        all(any(np.allclose(part, tile[..., c], atol=1e-2) for part in parts(of[..., c])) for c in range(3))
        for of in (cell, grey)
    )


@by_hand("jigsaw", image=WHOLE, encoder=FINE, grid=2, tile=3, num_permutations=5, classifier=(5,))
def jigsaw(v, p, fixed, extra, raw):
    """Cells of four pixels, tiles of three."""
    labels = []
    for whole, tiles in zip(raw["image"], v["pieces"]):
        cells = [whole[i : i + 4, j : j + 4] for i in (0, 4) for j in (0, 4)]
        orders = enumerate(views.jigsaw_permutations(5, 4))
        labels.append(next(k for k, order in orders if all(cut_from(cells[i], t) for i, t in zip(order, tiles))))
    features = [FINE(p["encoder"], x).pooled for x in crops(v["pieces"])]
    return cross(one_hot(labels, 5), mlp(p["classifier"], np.concatenate(features, 1))).mean()


def colours(v):
    """The soft targets (B, h, w, bins)."""
    spread = [one_hot(v["target"][..., k], len(views.ab_bins())) for k in range(v["target"].shape[-1])]
    return sum(v["weight"][..., k : k + 1] * where for k, where in enumerate(spread))


@by_hand("colorization", stride=PATCH, uniform_share=0.3)
def colorization(v, p, fixed, extra, raw):
    targets, bins = colours(v), extra["prior"].size
    rarity = 1 / (0.7 * extra["prior"] + 0.3 / bins)
    rarity /= (extra["prior"] * rarity).sum()
    weights = rarity[targets.argmax(-1)]
    tokens = ENCODER(p["encoder"], np.repeat(v["lightness"], 3, -1)).tokens
    logits = linear(p["decoder"]["out"], tokens).reshape(targets.shape)
    return (weights * cross(targets, logits)).sum() / weights.sum()


@by_hand("supervised", label_smoothing=0.1)
def supervised(v, p, fixed, extra, raw):
    logits = linear(p["classifier"], ENCODER(p["encoder"], v["image"]).pooled)
    return cross(0.9 * one_hot(raw["label"], 3) + 0.1 / 3, logits).mean()
