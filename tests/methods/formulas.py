"""The loss of every method as its paper writes it, in NumPy, on the outputs of the networks of small.py.

A new method adds its formula here.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import small
from small import BATCH, PATCH, PLACES, SIDE, WHOLE, WIDTH, cross, linear, mlp, one_hot, softmax, standardize, unit

from jssl import views
from jssl.models import IJEPAPredictor, MAEDecoder

ENCODER, FINE, TEXT, CAUSAL = small.Patches(), small.Patches(patch_size=1), small.Words(), small.Words(causal=True)
STEP = 4  # of ten that the teacher's temperature rises for
T_STUDENT, T_TEACHER = 0.2, 0.05 + 0.4 * (0.1 - 0.05)


class Case(NamedTuple):
    """A method and its loss by hand.

    Attributes:
      loss: (views, params, fixed, extra, examples) -> loss. ``fixed`` are the parameters that get no gradient: the
        teacher's, or without one those of the network itself.
      options: of the method.
      rtol: of the value; softmaxes at a low temperature magnify rounding.
      apart: how far the points of the difference quotient are; further where part of the formula is in float32.
    """

    loss: Callable
    options: Mapping[str, Any]
    rtol: float = 1e-5
    apart: float = 1e-5


CASES: dict[str, Case] = {}


def by_hand(row: str, *, rtol: float = 1e-5, apart: float = 1e-5, **options):
    """The loss of a method, or of ``"<method>-<what>"``, with these options."""

    def add(loss):
        given = {"encoder": ENCODER, "image": small.image()} if row != "causal_lm" else {}
        CASES[row] = Case(loss, given | options, rtol, apart)
        return loss

    return add


def crops(stacked):
    """(B, C, ...) -> C arrays (B, ...)."""
    return list(np.swapaxes(stacked, 0, 1))


def projections(params, images, **norms):
    """Of two views, each by itself."""
    return [mlp(params["projector"], ENCODER(params["encoder"], x).pooled, **norms) for x in crops(images)]


def projections_together(params, images, **norms):
    """Of two views which batch norm sees as one batch."""
    pooled = np.concatenate([ENCODER(params["encoder"], x).pooled for x in crops(images)])
    return np.split(mlp(params["projector"], pooled, **norms), 2)


def among(queries, keys, temperature):
    """InfoNCE: each query finds the key of its row."""
    return cross(np.eye(len(queries)), queries @ keys.T / temperature).mean()


# Contrastive


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


# Siamese


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


# Distillation

CROPS = {"num_local": 2, "local_size": 4}
HEAD = {"hidden": 5, "bottleneck": 4, "prototypes": 7}
WARM = {"student": T_STUDENT, "teacher": 0.1, "teacher_start": 0.05, "warmup": 10}


def all_crops(v):
    return crops(v["global"]) + crops(v["local"])


def across(targets, logits, temperature):
    """Every target with every crop but its own."""
    pairs = [cross(q, s / temperature).mean() for i, q in enumerate(targets) for j, s in enumerate(logits) if i != j]
    return np.mean(pairs)


def swav_parts(v, p, fixed):
    """((S, B, D) embeddings, (S, B, K) scores, the same scores without gradient, prototypes)."""

    def scores(params):
        pooled = np.concatenate([ENCODER(params["encoder"], x).pooled for x in all_crops(v)])
        z = mlp(params["projector"], pooled)
        return z.reshape(4, BATCH, -1), small.prototypes(params["prototypes"], unit(z)).reshape(4, BATCH, -1)

    return *scores(p), scores(fixed)[1]


SWAV = {"crops": CROPS, "projector": (5, 4), "prototypes": 7, "temperature": 0.2, "epsilon": 0.1}


@by_hand("swav", rtol=1e-4, **SWAV)
def swav(v, p, fixed, extra, raw):
    _, scores, still = swav_parts(v, p, fixed)
    return across([small.sinkhorn(still[i], 0.1) for i in (0, 1)], scores, 0.2)


@by_hand("swav-queue", rtol=1e-4, queue_size=6, queue_start=0, **SWAV)
def swav_queue(v, p, fixed, extra, raw):
    _, scores, still = swav_parts(v, p, fixed)
    past = [small.prototypes(fixed["prototypes"], unit(queue)) for queue in extra["queue"]]
    codes = [small.sinkhorn(np.concatenate([still[i], past[i]]), 0.1)[:BATCH] for i in (0, 1)]
    return across(codes, scores, 0.2)


def named(params, images, **options):
    """Prototype logits of one crop."""
    return small.dino_head(params["head"], ENCODER(params["encoder"], images, **options).pooled)


@by_hand("dino", rtol=1e-4, crops=CROPS, head=HEAD, temperature=WARM)
def dino(v, p, teacher, extra, raw):
    targets = [softmax((named(teacher, x) - extra["center"]) / T_TEACHER) for x in crops(v["global"])]
    return across(targets, [named(p, x) for x in all_crops(v)], T_STUDENT)


@by_hand("dino-sinkhorn", rtol=1e-4, crops=CROPS, head=HEAD, temperature=WARM, centering={"kind": "sinkhorn"})
def dino_sinkhorn(v, p, teacher, extra, raw):
    logits = np.concatenate([named(teacher, x) for x in crops(v["global"])])
    codes = np.split(small.sinkhorn(logits, T_TEACHER), 2)
    return across(codes, [named(p, x) for x in all_crops(v)], T_STUDENT)


def crop_logits(v, p, teacher, patch_head):
    """(class logits of the teacher's crops, of the student's, patch logits of both at the large crops, hidden patches)."""

    def of_patches(params, images, **options):
        return small.dino_head(params[patch_head], ENCODER(params["encoder"], images, **options).tokens)

    large, hidden = crops(v["global"]), crops(v["mask"])
    counts = v["mask"].sum(-1)
    assert (
        counts.max() <= PLACES / 2 and len(np.unique(counts)) > 2 and counts.min() == 0
    )  # of the range and chance asked for
    of_teacher = [named(teacher, x) for x in large]
    of_student = [named(p, x, masked=m) for x, m in zip(large, hidden)] + [named(p, x) for x in crops(v["local"])]
    patches = [of_patches(teacher, x) for x in large], [of_patches(p, x, masked=m) for x, m in zip(large, hidden)]
    return of_teacher, of_student, *(np.concatenate(x) for x in (*patches, hidden))


def at_hidden(targets, logits, hidden):
    """iBOT's patch loss: the mean over the hidden patches of a crop, then over crops; a whole crop has none."""
    losses = cross(targets, logits / T_STUDENT)
    return np.mean([row[mask].mean() if mask.any() else 0.0 for row, mask in zip(losses, hidden)])


MASKED = {"crops": CROPS, "head": HEAD, "temperature": WARM, "mask": {"probability": 0.6}}


@by_hand("ibot", rtol=1e-4, **MASKED)
def ibot(v, p, teacher, extra, raw):
    of_teacher, of_student, patch_teacher, patch_student, hidden = crop_logits(v, p, teacher, "head")
    targets = [softmax((logits - extra["center"]) / T_TEACHER) for logits in of_teacher]
    patch_targets = softmax((patch_teacher - extra["patch_center"]) / T_TEACHER)
    return across(targets, of_student, T_STUDENT) + at_hidden(patch_targets, patch_student, hidden)


def koleo(x):
    x = unit(x)
    distances = np.linalg.norm(x[:, None] - x[None], axis=-1) + np.diag(np.full(len(x), np.inf))
    return -np.log(distances.min(1)).mean()


def koleo_of_crops(v, p):
    return sum(koleo(ENCODER(p["encoder"], x, masked=m).pooled) for x, m in zip(crops(v["global"]), crops(v["mask"])))


@by_hand("dinov2", rtol=1e-4, koleo_weight=0.3, **MASKED)
def dinov2(v, p, teacher, extra, raw):
    of_teacher, of_student, patch_teacher, patch_student, hidden = crop_logits(v, p, teacher, "patch_head")
    targets = np.split(small.sinkhorn(np.concatenate(of_teacher), T_TEACHER), 2)
    patch_targets = np.zeros(patch_teacher.shape)
    patch_targets[hidden] = small.sinkhorn(patch_teacher[hidden], T_TEACHER)
    of_classes = across(targets, of_student, T_STUDENT)
    return of_classes + at_hidden(patch_targets, patch_student, hidden) + 0.3 * koleo_of_crops(v, p)


@by_hand("dinov2-centred", rtol=1e-4, shared_head=True, centering={"kind": "softmax"}, koleo_weight=0.3, **MASKED)
def dinov2_centred(v, p, teacher, extra, raw):
    return ibot(v, p, teacher, extra, raw) + 0.3 * koleo_of_crops(v, p)


# Masked prediction


D2V_MASK = {"ratio": 0.6, "min_block": 2}


@by_hand("data2vec", mask=D2V_MASK, top_blocks=2, beta=0.5)
def data2vec(v, p, teacher, extra, raw):
    assert (v["mask"].sum(1) == int(0.6 * PLACES)).all()
    return data2vec_of(v, p, teacher, axis=-1)  # each token over its channels


@by_hand("data2vec-instance", mask=D2V_MASK, top_blocks=2, beta=0.5, normalize_layers="instance")
def data2vec_instance(v, p, teacher, extra, raw):
    return data2vec_of(v, p, teacher, axis=-2)  # each channel over the tokens


def data2vec_of(v, p, teacher, axis):
    layers = ENCODER(teacher["encoder"], v["image"], last=2).layers
    target = standardize(standardize(layers, axis, 1e-5).mean(0), -1, 1e-5)
    prediction = linear(p["regression"], ENCODER(p["encoder"], v["image"], masked=v["mask"]).tokens)
    return small.smooth_l1(prediction - target, 0.5)[v["mask"]].mean()


def applied(module, params, *inputs, **options):
    """A module of ours, in float32."""
    inputs, options = jax.tree.map(lambda x: np.asarray(x, jax.dtypes.canonicalize_dtype(x.dtype)), (inputs, options))
    params = jax.tree.map(lambda x: x.astype(np.float32), params)
    run = jax.jit(lambda params, inputs, options: module.apply({"params": params}, *inputs, **options))
    return np.asarray(run(params, inputs, options), np.float64)


SMALL = {"width": 4, "depth": 1, "heads": 2}


@by_hand("mae", apart=4e-3, decoder=SMALL, mask_ratio=0.75)
def mae(v, p, fixed, extra, raw):
    removed = v["restore"] >= PLACES // 4
    visible = np.argsort(v["restore"], 1)[:, : PLACES // 4]
    seen = ENCODER(p["encoder"], v["image"], indices=visible)
    decoder = MAEDecoder(patch_size=PATCH, grid=SIDE // PATCH, **SMALL)
    prediction = applied(decoder, p["decoder"], seen.tokens, v["restore"], class_token=seen.pooled)
    pixels = small.patches(np, v["image"], PATCH)
    deviation = np.sqrt(pixels.var(-1, ddof=1, keepdims=True) + 1e-6)
    target = (pixels - pixels.mean(-1, keepdims=True)) / deviation
    return ((prediction - target) ** 2)[removed].mean()


@by_hand("ijepa", apart=4e-3, predictor=SMALL, blocks={"min_keep": 2})
def ijepa(v, p, teacher, extra, raw):
    context, kept, blocks = v["context"], v["context_mask"], v["target"]
    seen = ENCODER(p["encoder"], v["image"], indices=context, token_mask=kept).tokens
    predictor = IJEPAPredictor(grid=SIDE // PATCH, out_dim=WIDTH, **SMALL)
    prediction = applied(predictor, p["predictor"], seen, context, kept, blocks, v["target_mask"])
    whole = standardize(ENCODER(teacher["encoder"], v["image"]).tokens, -1, 1e-5)
    losses = []
    for i in range(BATCH):
        errors = small.smooth_l1(prediction[i] - whole[i][blocks[i]], 1.0).mean(-1)
        losses.append(errors[v["target_mask"][i]].mean())
        assert not set(context[i][kept[i]]) & set(blocks[i][v["target_mask"][i]])
    return np.mean(losses)


@by_hand("denoising", image=WHOLE, encoder=FINE, patch=2, level=0.5)
def denoising(v, p, fixed, extra, raw):
    clean = small.normalized(raw["image"])
    same = np.isclose(v["corrupted"], clean, atol=1e-5)
    assert np.allclose(v["corrupted"][~same], small.normalized(0), atol=1e-5) and 0.4 < same.mean() < 0.6
    tokens = FINE(p["encoder"], v["corrupted"]).tokens
    return ((linear(p["decoder"]["out"], tokens).reshape(clean.shape) - clean) ** 2).mean()


# Pretext tasks


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


# Text and pairs


@by_hand("causal_lm", encoder=CAUSAL)
def causal_lm(v, p, fixed, extra, raw):
    losses = []
    for tokens, segments in zip(raw["tokens"], raw["segments"]):
        features = CAUSAL(p["encoder"], tokens[None], segments=segments[None]).tokens[0]
        for i in range(len(tokens) - 1):
            if segments[i] and segments[i + 1] == segments[i]:
                logits = features[i] @ p["encoder"]["embedding"].T
                losses.append(cross(one_hot(tokens[i + 1], small.WORDS), logits))
    return np.mean(losses)


def similarities(v, p):
    caption = v["caption"]
    of_images = linear(p["image_projection"], ENCODER(p["image"], v["image"]).pooled)
    of_texts = linear(p["text_projection"], TEXT(p["text"], caption, segments=(caption > 0).astype(int)).pooled)
    return np.exp(p["scale"]["log_scale"]) * unit(of_images) @ unit(of_texts).T


@by_hand("clip", text_encoder=TEXT, width=5, scale=3.0)
def clip(v, p, fixed, extra, raw):
    logits = similarities(v, p)
    return (cross(np.eye(BATCH), logits).mean() + cross(np.eye(BATCH), logits.T).mean()) / 2


@by_hand("siglip", text_encoder=TEXT, width=5, scale=3.0, bias=-1.0)
def siglip(v, p, fixed, extra, raw):
    logits = similarities(v, p) + p["scale"]["bias"]
    return np.log1p(np.exp(np.where(np.eye(BATCH), -logits, logits))).sum() / BATCH
