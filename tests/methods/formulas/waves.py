"""Losses of methods that read waves, or frames of them."""

import jax
import numpy as np
import small
from small import BATCH, cross, linear, one_hot, softmax, standardize, unit

from jssl.train.state import view_keys

from .case import STEP, by_hand

WAVES, HEARD, SPECTRUM = small.Waves(), small.Waves(causal=True), small.Spectrum()
ENTRIES, SPAN, NEGATIVES = 5, 2, 3


def noise(count):
    """The Gumbel noise of the frames of each example, from the key that the step gives it."""
    keys = jax.vmap(jax.random.split)(view_keys(jax.random.key(2), STEP, np.arange(BATCH, dtype=np.int32)))[:, 1]
    drawn = jax.vmap(lambda key: jax.random.gumbel(jax.random.fold_in(key, 0), (count, 2, ENTRIES), np.float32))(keys)
    return np.asarray(drawn, np.float64)


def logits(p, frames):
    x = standardize(frames, -1, 1e-6) * p["norm"]["scale"] + p["norm"]["bias"]
    return linear(p["logits"], x).reshape(*frames.shape[:2], 2, ENTRIES)


@by_hand(
    "wav2vec2",
    encoder=WAVES,
    mask={"ratio": 0.5, "span": SPAN},
    codes={"entries": ENTRIES, "width": 4, "start": 2.0, "lowest": 0.5, "anneal": 8, "diversity": 0.3},
    width=4,
    negatives=NEGATIVES,
    temperature=0.2,
    penalty=0.7,
)
def wav2vec2(v, p, fixed, extra, raw):
    def seen(p):
        features = WAVES(p["encoder"], v["audio"], length=v["length"], masked=v["masked"])
        return features, logits(p["quantizer"], features.local[at])

    real, at = raw["length"] // small.HOP, (np.arange(BATCH)[:, None], v["indices"])
    np.testing.assert_array_equal(v["masked"].sum(1), np.round(real / 2))
    (features, now), (_, frozen) = seen(p), seen(fixed)
    drawn, temperature = noise(v["indices"].shape[1]), 2.0 * 0.25 ** (STEP / 8)
    # What is chosen stays; what moves, and has a gradient, is the softmax.
    chosen = (frozen + drawn).argmax(-1)
    moved = softmax((now + drawn) / temperature) - softmax((frozen + drawn) / temperature)
    entries = np.einsum("bngv,gvd->bngd", one_hot(chosen, ENTRIES) + moved, p["quantizer"]["codebook"])
    vectors, probabilities = entries.reshape(*chosen.shape[:2], -1), softmax(now)
    context, codes = linear(p["context_projection"], features.tokens[at]), linear(p["code_projection"], vectors)
    losses, used = [], []
    for i in range(BATCH):
        masked = np.flatnonzero(v["masked"][i])
        assert (v["indices"][i][: len(masked)] == masked).all() and masked.max() < real[i]
        for n in range(len(masked)):
            others = v["negatives"][i][n]
            assert n not in others and others.max() < len(masked)
            others = [m for m in others if (chosen[i, m] != chosen[i, n]).any()]
            cosine = unit(codes[i, [n, *others]]) @ unit(context[i, n])
            losses.append(cross(one_hot(0, len(cosine)), cosine / 0.2))
            used.append(probabilities[i, n])
    mean = np.mean(used, 0)
    perplexity = np.exp(-(mean * np.log(mean)).sum(-1)).sum()
    size = np.concatenate([features.local[i, : real[i]] for i in range(BATCH)])
    return np.mean(losses) + 0.3 * (2 * ENTRIES - perplexity) / (2 * ENTRIES) + 0.7 * (size**2).mean()


def after(v, p, features, ahead):
    """Which example, time and step ahead there is a true frame for."""
    real = v["length"] // small.HOP
    times = features.tokens.shape[1] - ahead
    return [(i, t, k) for i in range(BATCH) for t in range(times) for k in range(1, ahead + 1) if t + k < real[i]]


def cpc_of(v, p, negatives):
    features = HEARD(p["encoder"], v["audio"], length=v["length"])
    local, ahead, width = features.local, 3, features.local.shape[-1]
    losses = []
    for i, t, k in after(v, p, features, ahead):
        kernel = p["predictors"]["steps"]["kernel"][:, (k - 1) * width : k * width]
        others = [local[negative] for negative in negatives(i, t)]
        scores = np.stack([local[i, t + k], *others]) @ (features.tokens[i, t] @ kernel) / width
        losses.append(cross(one_hot(0, len(scores)), scores))
    return np.mean(losses)


@by_hand("cpc", encoder=HEARD, steps_ahead=3, negatives=NEGATIVES)
def cpc(v, p, fixed, extra, raw):
    real = raw["length"] // small.HOP
    which = (v["sound"] * BATCH).astype(int)
    assert len(np.unique(which)) == BATCH
    frame = (v["frame"] * real[which]).astype(int)
    return cpc_of(v, p, lambda i, t: zip(which[i, t], frame[i, t]))


@by_hand("cpc-sound", encoder=HEARD, steps_ahead=3, negatives=NEGATIVES, negatives_from="sound")
def cpc_sound(v, p, fixed, extra, raw):
    real = raw["length"] // small.HOP
    return cpc_of(v, p, lambda i, t: [(i, int(share * real[i])) for share in v["frame"][i, t]])


@by_hand("apc", encoder=SPECTRUM, spectrogram={"mels": small.MELS, "hop": 5.0, "window": 10.0}, steps_ahead=2)
def apc(v, p, fixed, extra, raw):
    frames, hop = v["spectrogram"][..., 0], 5 * small.RATE // 1000
    real = v["frames"]
    np.testing.assert_array_equal(real, -(-raw["length"] // hop))
    mask = np.arange(frames.shape[1]) < real[:, None]
    prediction = linear(p["decoder"], SPECTRUM(p["encoder"], frames, real=mask).tokens)
    errors = [
        abs(prediction[i, t] - frames[i, t + 2]).mean()
        for i in range(BATCH)
        for t in range(frames.shape[1] - 2)
        if t + 2 < real[i]
    ]
    return np.mean(errors)
