"""Features that cost nothing to learn. An encoder that does not beat them has learnt nothing."""

from collections.abc import Callable

import jax
import numpy as np

from jssl.data.source import Source
from jssl.evaluation.reading import batches, collect
from jssl.evaluation.texts import PADDING
from jssl.methods.audio_input import AudioInput, SpectrogramInput
from jssl.methods.options import Given

__all__ = ["RAW", "bag_of_words", "frames", "mean_log_mel", "pixels", "raw"]

Pair = tuple[np.ndarray, np.ndarray]


def raw(train: Source, test: Source) -> Pair:
    """The raw input of a modality as features: that of the first field in ``RAW`` that both splits have.

    Args:
      train: the split whose mean is subtracted from both.
      test: the other split.

    Returns:
      ((N, D), (M, D)) float32.

    Raises:
      ValueError: the splits share no field whose raw input is known.
    """
    for field, features in RAW.items():
        if field in train.spec and field in test.spec:
            return features(train, test)
    has = sorted(set(train.spec) & set(test.spec))
    raise ValueError(f"the raw input is known for {', '.join(RAW)}; the splits have {', '.join(has) or 'nothing'}")


def pixels(train: Source, test: Source, *, size: int = 32) -> Pair:
    """Raw pixels of both splits, averaged down, centred by the mean training image and flattened.

    Centring matters to k-NN, whose cosine between all-positive images is near 1 whatever they show.

    Args:
      train: a source of ``image`` (H, W, C), uint8, or float in [0, 1].
      test: another, of the same (H, W, C).
      size: larger images are averaged over whole blocks of pixels until their longer side is at most this; a border
        that fills no block is cropped.

    Returns:
      ((N, D), (M, D)) float32.

    Raises:
      ValueError: images of two sizes.
    """
    shapes = train.spec["image"].shape, test.spec["image"].shape
    if shapes[0] != shapes[1]:
        raise ValueError(f"pixel features take images of one size, not {shapes[0]} and {shapes[1]}")
    return _centred(*(_read(source, lambda batch: _shrink(batch["image"], size)) for source in (train, test)))


def frames(train: Source, test: Source, *, size: int = 16) -> Pair:
    """The mean frame of clips, and behind it how each frame differs from the one before.

    Either part is averaged down as `pixels` does, centred by its training mean and scaled so that its mean square over the
    training split is one: what moves is small beside what is there. Differences are of grey levels.

    Args:
      train: a source of ``video`` (T, H, W, C), uint8, or float in [0, 1].
      test: another, of the same (T, H, W, C).
      size: see `pixels`.

    Returns:
      ((N, D), (M, D)) float32.

    Raises:
      ValueError: clips of two sizes.
    """
    shapes = train.spec["video"].shape, test.spec["video"].shape
    if shapes[0] != shapes[1]:
        raise ValueError(f"frame features take clips of one size, not {shapes[0]} and {shapes[1]}")

    def rows(batch):
        video = batch["video"]
        small = _shrink(video.reshape(-1, *video.shape[2:]), size).reshape(*video.shape[:2], -1, video.shape[-1])
        changes = np.diff(small.mean(-1), axis=1).reshape(len(video), -1)
        return np.concatenate([small.mean(1).reshape(len(video), -1), changes], 1)

    found = _centred(*(_read(source, rows) for source in (train, test)))
    changes = (shapes[0][0] - 1) * (found[0].shape[1] // (shapes[0][-1] + shapes[0][0] - 1))
    for part in (slice(None, -changes or None), slice(found[0].shape[1] - changes, None)):
        scale = np.sqrt(np.mean(np.sum(found[0][:, part] ** 2, 1)))
        for split in found:
            split[:, part] /= max(float(scale), 1e-12)
    return found


def bag_of_words(train: Source, test: Source, *, field: str = "tokens", size: int = 2048) -> Pair:
    """How often each token occurs in an example, log(1 + count), centred by the training mean.

    Args:
      train: a source of ``tokens`` (L,), whose padding ``segments`` tells where there are any, or of ``captions``
        (C, L), which count as one text.
      test: another.
      field: "tokens" or "captions".
      size: the commonest tokens of the training split that are counted; of equally common ones the lower ids.

    Returns:
      ((N, D), (M, D)) float32, D the number of different training tokens, ``size`` at most; columns ascend with the id.

    Raises:
      ValueError: a training split of padding alone.

    >>> from jssl.evaluation.texts import Texts
    >>> train, test = Texts(np.array([[5, 5], [7, 0]], np.int32)), Texts(np.array([[7, 9]], np.int32))
    >>> bag_of_words(train, test, field="captions")[1].round(2)
    array([[-0.55,  0.35]], dtype=float32)
    """
    rows = [_read(source, lambda batch: _words(batch, field)) for source in (train, test)]
    tokens, counts = np.unique(rows[0][rows[0] >= 0], return_counts=True)
    if not len(tokens):
        raise ValueError(f"{field} of the training split are padding alone")
    vocabulary = np.sort(tokens[np.argsort(-counts, kind="stable")[:size]])
    return _centred(*(np.log1p(_counts(words, vocabulary)) for words in rows))


def mean_log_mel(train: Source, test: Source, *, mels: int = 64) -> Pair:
    """Log-mel spectrograms of standardised waves, averaged over the frames that hold sound, centred by the training mean.

    Args:
      train: a source of ``audio`` (T,), with ``length`` () where sounds are padded, and a sample rate in ``about``.
      test: another, of the same rate.
      mels: D, bands; windows of 25 ms, 10 ms apart.

    Returns:
      ((N, D), (M, D)) float32.

    Raises:
      ValueError: the sample rates are not known, or differ.
    """
    rates = train.about.sample_rate, test.about.sample_rate
    if not rates[0] or rates[0] != rates[1]:
        raise ValueError(f"the mean spectrum takes sounds of one sample rate, not {rates[0]} and {rates[1]}")
    given = Given(train.spec, train.about)
    prepare = SpectrogramInput(mels=mels, mean=0.0, std=1.0).prepare(given, AudioInput())

    def one(sound):
        made = prepare(sound)  # zero where there is no sound
        return made.image[..., 0].sum(0) / made.frames.astype("float32")

    many = jax.jit(jax.vmap(one))

    def of(batch):
        return np.array(many({name: batch[name] for name in ("audio", "length") if name in batch}))

    return _centred(*(_read(source, of) for source in (train, test)))


RAW: dict[str, Callable[[Source, Source], Pair]] = {
    "image": pixels,
    "video": frames,
    "tokens": bag_of_words,
    "captions": lambda train, test: bag_of_words(train, test, field="captions"),
    "audio": mean_log_mel,
}
"""Field -> (train, test) -> features of both; what is seen comes before what is said of it."""


def _read(source: Source, function: Callable) -> np.ndarray:
    return collect(({"rows": function(batch)} for batch in batches(source)), len(source))["rows"]


def _centred(train: np.ndarray, test: np.ndarray) -> Pair:
    mean = train.mean(0, keepdims=True)
    train -= mean
    test -= mean
    return train, test


def _shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Block averages, flattened: (N, D) float32."""
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    count, height, width, channels = images.shape
    block = -(-max(height, width) // size)
    rows, columns = height // block, width // block
    top, left = (height - rows * block) // 2, (width - columns * block) // 2
    part = images[:, top : top + rows * block, left : left + columns * block]
    blocks = part.reshape(count, rows, block, columns, block, channels).mean((2, 4), dtype=np.float32)
    return blocks.reshape(count, -1) / np.float32(scale)


def _words(batch: dict[str, np.ndarray], field: str) -> np.ndarray:
    """Token ids (N, W) of each example, -1 for padding."""
    tokens = batch[field].astype(np.int32)
    if field == "captions":
        real = tokens != PADDING
    else:
        real = batch["segments"] > 0 if "segments" in batch else np.ones(tokens.shape, bool)
    return np.where(real, tokens, np.int32(-1)).reshape(len(tokens), -1)


def _counts(words: np.ndarray, vocabulary: np.ndarray) -> np.ndarray:
    counts = np.zeros((len(words), len(vocabulary)), np.float32)
    for row, ids in zip(counts, words):
        column = np.searchsorted(vocabulary, ids).clip(max=len(vocabulary) - 1)
        np.add.at(row, column[vocabulary[column] == ids], 1.0)
    return counts
