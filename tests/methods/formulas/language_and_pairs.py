"""Losses of text, of pictures with captions, and of clips with sound."""

import numpy as np
import small
from small import BATCH, FRAMES, PATCH, SIDE, cross, linear, one_hot, unit

from .case import CAUSAL, ENCODER, TEXT, by_hand
from .masked import OF_SOUNDS, SPECTROGRAM


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
    return both_ways(similarities(v, p))


def both_ways(logits):
    """Each row finds its column, and each column its row."""
    right = np.eye(len(logits))
    return (cross(right, logits).mean() + cross(right, logits.T).mean()) / 2


@by_hand("siglip", text_encoder=TEXT, width=5, scale=3.0, bias=-1.0)
def siglip(v, p, fixed, extra, raw):
    logits = similarities(v, p) + p["scale"]["bias"]
    return np.log1p(np.exp(np.where(np.eye(BATCH), -logits, logits))).sum() / BATCH


CLIPS = small.Tubelets()
AUDIO_VIDEO = {
    "video": small.video(),
    "encoder": CLIPS,
    "audio_encoder": OF_SOUNDS,
    "spectrogram": SPECTROGRAM,
    "width": 5,
    "scale": 3.0,
}


@by_hand("audio_video", **AUDIO_VIDEO)
def audio_video(v, p, fixed, extra, raw):
    return part_by_part(v, p, raw, 1)


@by_hand("audio_video-segments", segments=2, **AUDIO_VIDEO)
def audio_video_segments(v, p, fixed, extra, raw):
    return part_by_part(v, p, raw, 2)


def part_by_part(v, p, raw, parts):
    heard = -(-raw["length"] // 16)  # frames of a spectrogram
    clips, sounds = [], []
    for image, frames in zip(v["spectrogram"].image[..., 0], heard):  # each is that of its sound
        assert not image[frames:].any() and image[:frames].all()
    for part in range(parts):
        clip = np.split(v["video"], parts, 1)[part]
        clips.append(CLIPS(p["video"], clip).pooled)
        assert clip.shape[1] == FRAMES // parts
        image = np.split(v["spectrogram"].image, parts, 1)[part]
        tokens = OF_SOUNDS(p["audio"], image).tokens
        rows = np.arange(tokens.shape[1]) // (SIDE // PATCH) * PATCH + part * SIDE // parts
        mean = [own[rows < true].mean(0) if (rows < true).any() else 0 * own[0] for own, true in zip(tokens, heard)]
        sounds.append(np.stack(mean))
    clips, sounds = np.concatenate(clips), np.concatenate(sounds)
    of_clips, of_sounds = unit(linear(p["video_projection"], clips)), unit(linear(p["audio_projection"], sounds))
    return both_ways(np.exp(p["scale"]["log_scale"]) * of_clips @ of_sounds.T)
