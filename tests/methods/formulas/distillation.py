"""Losses of methods whose teacher names prototypes."""

import numpy as np
import small
from small import BATCH, PLACES, cross, mlp, softmax, unit

from .case import ENCODER, T_STUDENT, T_TEACHER, by_hand, crops

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


def balanced(v, p, teacher, patch_head):
    of_teacher, of_student, patch_teacher, patch_student, hidden = crop_logits(v, p, teacher, patch_head)
    targets = np.split(small.sinkhorn(np.concatenate(of_teacher), T_TEACHER), 2)
    patch_targets = np.zeros(patch_teacher.shape)
    patch_targets[hidden] = small.sinkhorn(patch_teacher[hidden], T_TEACHER)
    return across(targets, of_student, T_STUDENT) + at_hidden(patch_targets, patch_student, hidden)


@by_hand("ibot-sinkhorn", centering={"kind": "sinkhorn"}, **MASKED)
def ibot_sinkhorn(v, p, teacher, extra, raw):
    return balanced(v, p, teacher, "head")


@by_hand("dinov2", rtol=1e-4, koleo_weight=0.3, **MASKED)
def dinov2(v, p, teacher, extra, raw):
    return balanced(v, p, teacher, "patch_head") + 0.3 * koleo_of_crops(v, p)


@by_hand("dinov2-centred", rtol=1e-4, shared_head=True, centering={"kind": "softmax"}, koleo_weight=0.3, **MASKED)
def dinov2_centred(v, p, teacher, extra, raw):
    return ibot(v, p, teacher, extra, raw) + 0.3 * koleo_of_crops(v, p)


@by_hand("dinov2-gram", rtol=1e-4, koleo_weight=0.3, gram_weight=2.0, **MASKED)
def dinov2_gram(v, p, teacher, extra, raw):
    def alike(params, images, **options):
        x = unit(ENCODER(params["encoder"], images, **options).tokens)
        return x @ x.swapaxes(1, 2)

    pairs = [(alike(p, x, masked=m), alike(teacher, x)) for x, m in zip(crops(v["global"]), crops(v["mask"]))]
    return dinov2(v, p, teacher, extra, raw) + 2.0 * np.mean([(s - t) ** 2 for s, t in pairs])
