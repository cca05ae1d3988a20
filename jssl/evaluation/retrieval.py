"""Retrieval both ways: which caption belongs to an image, which image to a caption; or which sound to a clip."""

import numpy as np

from jssl.evaluation.knn import nearest
from jssl.evaluation.subject import Subject
from jssl.evaluation.texts import PADDING, Texts

__all__ = ["NEEDS", "RANKS", "evaluate", "recalls"]

RANKS = (1, 5, 10)
NEEDS: dict[tuple[str, ...], tuple[str, ...]] = {("image", "text"): ("captions",), ("video", "audio"): ()}
"""Readouts that are compared -> the fields that this takes."""


def evaluate(subject: Subject) -> dict[str, float]:
    """Recalls among the examples of the test split.

    Args:
      subject: with the readouts ``image`` and ``text``, and ``captions`` (C, L) per example, of which those that are padding
        alone are none; or with the readouts ``video`` and ``audio``.

    Returns:
      ``image_to_text_r1``, ``_r5``, ``_r10`` and ``text_to_image_r1``, ``_r5``, ``_r10``, or ``video_to_audio_r1`` and so on,
      see ``recalls``.

    Raises:
      ValueError: captions of padding alone.
    """
    names = next(names for names in NEEDS if {*names} <= {*subject.readouts})
    first = subject.features("test", names[0])
    if names[1] != "text":  # one of each, all of them different
        which = np.arange(len(first))
        return recalls(first, subject.features("test", names[1]), which, which, names=names)
    captions = subject.field("test", "captions")
    example, caption = np.nonzero((captions != PADDING).any(-1))
    if not len(example):
        raise ValueError("retrieval needs captions; those of the test split are padding alone")
    tokens = captions[example, caption]
    _, text = np.unique(tokens, axis=0, return_inverse=True)
    return recalls(first, subject.encode("text", Texts(tokens)), example, text.reshape(-1), names=names)


def recalls(
    images, captions, example, text, *, names: tuple[str, ...] = ("image", "text"), block_size: int = 512
) -> dict[str, float]:
    """Share of queries with a right answer among the k most similar, by cosine, k in ``RANKS``.

    Any caption of an image is a right answer for it, and so is any caption with the same text as one of them; an image
    is a right answer for a caption that has the text of one of its captions. Of equally similar answers the lower index
    comes first, so that features without content score what chance does.

    Args:
      images: (N, D) features.
      captions: (M, D) features.
      example: (M,) integers, the image of each caption. Images without one are answers but no queries.
      text: (M,) integers, the same for captions that say the same.
      names: what images and captions are called in the names of the figures.
      block_size: queries at a time.

    Returns:
      ``image_to_text_r1`` and so on: recall at k of images as queries; ``text_to_image_r1`` and so on: of captions.

    Raises:
      ValueError: shapes that do not fit, no captions.

    >>> found = recalls(np.eye(2), np.eye(2)[::-1], np.array([0, 1]), np.array([0, 1]))
    >>> found["image_to_text_r1"], found["image_to_text_r5"]
    (0.0, 1.0)

    References: Karpathy and Fei-Fei 2015, arXiv:1412.2306. Their code, and CLIP's after it, counts a caption of another
    image as wrong even where it says the same.
    """
    images, captions, example, text = (np.asarray(x) for x in (images, captions, example, text))
    if not len(captions) == len(example) == len(text):
        raise ValueError(
            f"retrieval takes one image and text per caption, not {len(captions)} captions, "
            f"{len(example)} images and {len(text)} texts"
        )
    if not len(captions):
        raise ValueError("retrieval needs captions; there are none")
    texts = int(text.max()) + 1
    forth, back = "_to_".join(names), "_to_".join(reversed(names))
    pairs = np.unique(example.astype(np.int64) * texts + text)  # (image, text) as one number
    asked = np.unique(example)

    found = nearest(captions, images[asked], k=max(RANKS), block_size=block_size)
    right = np.isin(asked[:, None] * np.int64(texts) + text[found], pairs)
    figures = {f"{forth}_r{k}": float(right[:, :k].any(1).mean()) for k in RANKS}

    found = nearest(images, captions, k=max(RANKS), block_size=block_size)
    right = np.isin(found * np.int64(texts) + text[:, None], pairs)
    return figures | {f"{back}_r{k}": float(right[:, :k].any(1).mean()) for k in RANKS}
