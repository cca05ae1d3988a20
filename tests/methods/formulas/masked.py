"""Losses of methods that predict what is hidden or spoilt."""

import dataclasses

import jax
import numpy as np
import small
from small import BATCH, PATCH, PLACES, SIDE, WHOLE, WIDTH, linear, standardize

from jssl.models import IJEPAPredictor, MAEDecoder

from .case import ENCODER, FINE, STEP, by_hand

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
    return jax.tree.map(lambda x: np.asarray(x, np.float64), run(params, inputs, options))


SMALL = {"width": 4, "depth": 1, "heads": 2}


@by_hand("mae", apart=4e-3, decoder=SMALL, mask_ratio=0.75)
def mae(v, p, fixed, extra, raw):
    return mae_of(v, p, v["image"], ENCODER, MAEDecoder(patch_size=PATCH, grid=SIDE // PATCH, **SMALL))


SPECTROGRAM = {"window": 40.0, "hop": 10.0, "mels": SIDE}  # as many frames
OF_SOUNDS = dataclasses.replace(ENCODER, channels=1)


@by_hand("audio_mae", apart=4e-3, encoder=OF_SOUNDS, spectrogram=SPECTROGRAM, decoder=SMALL, mask_ratio=0.75)
def audio_mae(v, p, fixed, extra, raw):
    assert (v["mask"].sum(1) == PLACES - PLACES // 4).all() and v["spectrogram"].shape == (BATCH, SIDE, SIDE, 1)
    for image, length in zip(v["spectrogram"][..., 0], raw["length"]):  # each is that of its sound
        frames = -(-length // 16)
        assert not image[frames:].any() and image[:frames].all()
    decoder = MAEDecoder(patch_size=PATCH, grid=SIDE // PATCH, channels=1, **SMALL)
    return mae_of(v, p, v["spectrogram"], OF_SOUNDS, decoder)


@by_hand("data2vec_audio", encoder=OF_SOUNDS, spectrogram=SPECTROGRAM, mask={"ratio": 0.5, "span": 2}, top_blocks=2)
def data2vec_audio(v, p, teacher, extra, raw):
    rows = v["mask"].reshape(BATCH, SIDE // PATCH, SIDE // PATCH)
    heard = np.ceil(raw["length"] / 16 / PATCH)  # rows of patches, of two frames of 16 samples each
    for hidden, true in zip(rows, heard):  # whole rows, as many as the share of those that are heard says
        assert (hidden.any(1) == hidden.all(1)).all() and hidden[:, 0].sum() == round(true / 2)
        assert not hidden[int(true) :].any()
    layers = OF_SOUNDS(teacher["encoder"], v["spectrogram"], last=2).layers
    target = standardize(layers, -2, 1e-5).mean(0)
    seen = OF_SOUNDS(p["encoder"], v["spectrogram"], masked=v["mask"])
    return ((linear(p["regression"], seen.tokens) - target) ** 2)[v["mask"]].mean()


def mae_of(v, p, image, encoder, decoder):
    """A quarter of the patches is seen."""
    removed = v["restore"] >= PLACES // 4
    visible = np.argsort(v["restore"], 1)[:, : PLACES // 4]
    seen = encoder(p["encoder"], image, indices=visible)
    prediction = applied(decoder, p["decoder"], seen.tokens, v["restore"], class_token=seen.pooled)
    pixels = small.patches(np, image, PATCH)
    deviation = np.sqrt(pixels.var(-1, ddof=1, keepdims=True) + 1e-6)
    target = (pixels - pixels.mean(-1, keepdims=True)) / deviation
    return ((prediction - target) ** 2)[removed].mean()


@by_hand("ijepa", apart=4e-3, predictor=SMALL, blocks={"min_keep": 2})
def ijepa(v, p, teacher, extra, raw):
    return jepa_of(v, v["image"], p, teacher, ENCODER)


BANDS = {"num_time": 2, "time_scale": (0.25, 0.25), "frequency_scale": (0.25, 0.25), "full": 2 * STEP}


@by_hand(
    "ajepa",
    apart=4e-3,
    encoder=OF_SOUNDS,
    spectrogram=SPECTROGRAM,
    predictor=SMALL,
    blocks={"min_keep": 2},
    bands=BANDS,
)
def ajepa(v, p, teacher, extra, raw):
    late = v["turn"] < 0.5  # half way
    assert late.any() and not late.all()
    found = {
        name: np.stack([v[f"{name}_{'bands' if bands else 'blocks'}"][i] for i, bands in enumerate(late)])
        for name in ("context", "context_mask", "target", "target_mask")
    }
    side = SIDE // PATCH
    for target, filled in zip(found["target"][late], found["target_mask"][late]):
        rows, columns = np.divmod(target, side)  # two bands of time, then two of frequency, one patch wide
        assert (filled.sum(1) == side).all() and (np.ptp(rows[:2, :side], axis=1) == 0).all()
        assert (np.ptp(columns[2:, :side], axis=1) == 0).all()
    return jepa_of(found, v["spectrogram"], p, teacher, OF_SOUNDS)


def jepa_of(v, image, p, teacher, encoder):
    predictor = IJEPAPredictor(grid=SIDE // PATCH, out_dim=WIDTH, **SMALL)
    whole = standardize(encoder(teacher["encoder"], image).tokens, -1, 1e-5)
    losses = []
    for context, kept in zip(v["context"].swapaxes(0, 1), v["context_mask"].swapaxes(0, 1)):
        seen = encoder(p["encoder"], image, indices=context, token_mask=kept).tokens
        prediction = applied(predictor, p["predictor"], seen, context, kept, v["target"], v["target_mask"])
        for i, (blocks, filled) in enumerate(zip(v["target"], v["target_mask"])):
            errors = small.smooth_l1(prediction[i] - whole[i][blocks], 1.0).mean(-1)
            losses.append(errors[filled].mean())
            assert not set(context[i][kept[i]]) & set(blocks[filled])
    return np.mean(losses)


@by_hand("denoising", image=WHOLE, encoder=FINE, patch=2, level=0.5)
def denoising(v, p, fixed, extra, raw):
    clean = small.normalized(raw["image"])
    same = np.isclose(v["corrupted"], clean, atol=1e-5)
    assert np.allclose(v["corrupted"][~same], small.normalized(0), atol=1e-5) and 0.4 < same.mean() < 0.6
    tokens = FINE(p["encoder"], v["corrupted"]).tokens
    return ((linear(p["decoder"]["out"], tokens).reshape(clean.shape) - clean) ** 2).mean()
