"""Losses of text, and of pictures with captions."""

import numpy as np
import small
from small import BATCH, cross, linear, one_hot, unit

from .case import CAUSAL, ENCODER, TEXT, by_hand


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


@by_hand("masked_lm", encoder=small.Words(words=small.WORDS + 1), rate=0.4)
def masked_lm(v, p, fixed, extra, raw):
    words, losses = small.Words(), []
    for row, (tokens, segments) in enumerate(zip(raw["tokens"], raw["segments"])):
        features = words(p["encoder"], v["tokens"][row][None], segments=segments[None]).tokens[0]
        hidden = v["positions"][row][v["weights"][row] == 1]
        assert len(set(hidden)) == max(1, round(0.4 * (segments > 0).sum())) and (segments[hidden] > 0).all()
        seen = np.delete(np.arange(len(tokens)), hidden)
        np.testing.assert_array_equal(v["tokens"][row][seen], tokens[seen])
        for i in hidden:
            losses.append(cross(one_hot(tokens[i], small.WORDS + 1), features[i] @ p["encoder"]["embedding"].T))
    assert (v["tokens"] == small.WORDS).any()
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
