"""Losses of methods that learn from clips."""

import numpy as np
import small
from small import BATCH, FRAMES, PATCH, SIDE, WIDTH, mlp, standardize

from jssl.models import ActionPredictor, IJEPAPredictor, MAEDecoder, VJEPA21Predictor

from .case import by_hand
from .masked import SMALL, applied

CLIPS = small.Tubelets()
GRID = (FRAMES // 2, SIDE // PATCH, SIDE // PATCH)
MASKS = {"num_blocks": (2, 1), "spatial_scale": (0.2, 0.5)}
# The square of the distance has a derivative everywhere, which the difference quotient needs.
JEPA = {"encoder": CLIPS, "video": small.video(), "predictor": SMALL, "masks": MASKS, "exponent": 2.0}


def masks_of(v):
    """(context, which slots are filled, target, which are filled) of each kind, whose places are apart."""
    for kind in (0, 1):
        masks = [v[f"{name}_{kind}"] for name in ("context", "context_mask", "target", "target_mask")]
        for context, kept, target, wanted in zip(*masks):
            assert sorted([*context[kept], *target[wanted]]) == list(range(np.prod(GRID)))
        yield masks


def over_examples(errors, weights):
    """Mean over examples of the weighted mean over the tokens whose weight is not zero."""
    return np.mean([(e * w)[w > 0].sum() / (w > 0).sum() for e, w in zip(errors, weights)])


def squares(prediction, whole, indices):
    return ((prediction - np.take_along_axis(whole, indices[..., None], 1)) ** 2).mean(-1) / 2


@by_hand("videomae", apart=4e-3, encoder=CLIPS, video=small.video(), decoder=SMALL, mask_ratio=0.75)
def videomae(v, p, fixed, extra, raw):
    times, side, _ = GRID
    seen_of_frame = side * side // 4
    removed = v["restore"] >= times * seen_of_frame
    frames = removed.reshape(BATCH, times, side * side)
    assert (frames == frames[:, :1]).all() and (frames.sum(-1) == side * side - seen_of_frame).all()  # tubes
    visible = np.argsort(v["restore"], 1)[:, : times * seen_of_frame]
    seen = CLIPS(p["encoder"], v["video"], indices=visible)
    decoder = MAEDecoder(patch_size=PATCH, tubelet=2, grid=GRID, **SMALL)
    prediction = applied(decoder, p["decoder"], seen.tokens, v["restore"], class_token=seen.pooled)
    pixels = small.tubelets(np, v["video"], 2, PATCH)
    losses = []
    for colour in range(3):
        target = pixels[..., colour::3]
        deviation = np.sqrt(target.var(-1, ddof=1, keepdims=True) + 1e-6)
        target = (target - target.mean(-1, keepdims=True)) / deviation
        losses.append(((prediction[..., colour::3] - target) ** 2)[removed].mean())
    return np.mean(losses)


@by_hand("vjepa", apart=4e-3, **JEPA)
def vjepa(v, p, teacher, extra, raw):
    predictor = IJEPAPredictor(grid=GRID, out_dim=WIDTH, mask_tokens=2, **SMALL)
    whole = standardize(CLIPS(teacher["encoder"], v["video"]).tokens, -1, 1e-5)
    losses = []
    for kind, (context, kept, target, wanted) in enumerate(masks_of(v)):
        seen = CLIPS(p["encoder"], v["video"], indices=context, token_mask=kept).tokens
        inputs = seen, context, kept, target[:, None], wanted[:, None]
        prediction = applied(predictor, p["predictor"], *inputs, kind=np.int32(kind))[:, 0]
        losses.append(over_examples(squares(prediction, whole, target), wanted.astype(float)))
    return np.mean(losses)


ROTARY = {"width": 12, "depth": 1, "heads": 2}


@by_hand("vjepa2_1", apart=4e-3, context={"weight": 0.8, "start": 2, "full": 10}, **JEPA | {"predictor": ROTARY})
def vjepa2_1(v, p, teacher, extra, raw):
    predictor = VJEPA21Predictor(
        grid=GRID, out_dim=2 * WIDTH, hidden=WIDTH, mask_tokens=2, positions="rotary", **ROTARY
    )
    layers = CLIPS(teacher["encoder"], v["video"], last=2).layers
    whole = np.concatenate([standardize(layer, -1, 1e-5) for layer in layers], -1)
    losses = []
    for kind, (context, kept, target, wanted) in enumerate(masks_of(v)):
        first, second = CLIPS(p["encoder"], v["video"], indices=context, token_mask=kept, last=2).layers
        seen = np.concatenate([standardize(first, -1, 1e-5), second], -1)
        inputs = seen, context, kept, target[:, None], wanted[:, None]
        of_target, of_context = applied(predictor, p["predictor"], *inputs, kind=np.int32(kind))
        near = np.zeros(context.shape)
        places = np.stack(np.unravel_index(np.arange(np.prod(GRID)), GRID), -1)
        for i in range(BATCH):
            for slot in np.flatnonzero(kept[i]):
                distance = np.linalg.norm(places[context[i, slot]] - places[target[i][wanted[i]]], axis=-1).min()
                near[i, slot] = distance**-0.5
        on_target = over_examples(squares(of_target[:, 0], whole, target), wanted.astype(float))
        on_context = over_examples(squares(of_context[:, 0], whole, context), near)
        losses.append(on_target + 0.8 * (4 - 2) / (10 - 2) * on_context)  # at step 4
    return np.mean(losses)


FRAME = small.Patches()
AC_JEPA = {
    "encoder": FRAME,
    "video": small.video(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip_prob=0.0),
    "exponent": 2.0,
}
GUARD = {"variance": 3.0, "covariance": 0.5, "smoothness": 0.7, "inverse": 2.0}


def frames_of(p, clips, features):
    """(B, T, N, D)."""
    found = [FRAME(p["encoder"], clips[:, t]) for t in range(FRAMES)]
    tokens = [one.tokens if features == "tokens" else one.pooled[:, None] for one in found]
    tokens = np.stack(tokens, 1)
    return standardize(mlp(p["projector"], tokens) if "projector" in p else tokens, -1, 1e-5)


def steps_and_rollout(v, params, frames, targets, steps, memory):
    """Half the squared distance of what is predicted, from the true frames and from the first one alone."""
    model, actions = ActionPredictor(memory=memory, **SMALL), v["actions"]

    def predict(frames):
        found = applied(model, params, np.stack(frames, 1), actions[:, : len(frames)])
        return standardize(found[:, -1], -1, 1e-5)

    forced = [predict([frames[:, i] for i in range(t + 1)]) for t in range(FRAMES - 1)]
    rolled = [frames[:, 0]]
    for _ in range(steps):
        rolled.append(predict(rolled))
    errors = [((a - targets[:, t + 1]) ** 2).mean() / 2 for t, a in enumerate(forced)]
    rolled_errors = [((a - targets[:, t]) ** 2).mean() / 2 for t, a in enumerate(rolled) if t]
    return np.mean(errors) + np.mean(rolled_errors)


@by_hand("ac_jepa", apart=4e-3, predictor=SMALL, rollout=3, guard=GUARD, inverse=(5,), projector=(4,), **AC_JEPA)
def ac_jepa(v, p, fixed, extra, raw):
    np.testing.assert_array_equal(v["actions"], raw["actions"])
    frames = frames_of(p, v["video"], "tokens")
    value = steps_and_rollout(v, p["predictor"], frames, frames_of(fixed, v["video"], "tokens"), 3, True)
    before, after = (x.reshape(-1, 4) for x in (frames[:, :-1], frames[:, 1:]))
    for z in (before, after):
        c = np.cov(z.T)
        value += 3.0 * np.maximum(0, 1 - np.sqrt(np.diag(c) + 1e-4)).mean() / 2
        value += 0.5 * (c[~np.eye(4, dtype=bool)] ** 2).sum() / 4
    seen = frames.mean(2)
    told = mlp(p["inverse"], np.concatenate([seen[:, :-1], seen[:, 1:]], -1), hidden=False)
    return value + 0.7 * ((before - after) ** 2).mean() + 2.0 * ((told - v["actions"]) ** 2).mean() / 2


@by_hand("ac_jepa-frozen", apart=4e-3, features="pooled", frozen=True, predictor={**SMALL, "memory": False}, **AC_JEPA)
def ac_jepa_frozen(v, p, fixed, extra, raw):
    frames = frames_of(fixed, v["video"], "pooled")
    return steps_and_rollout(v, p["predictor"], frames, frames, 2, False)
