"""Labelled features, checked once."""

import numpy as np


def labelled(what: str, features, labels, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns (N, D) float32 features and (N,) int32 labels; ValueError for shapes or labels that do not fit."""
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(f"{what} takes (N, D) features and (N,) labels, not {features.shape} and {labels.shape}")
    if not len(features):
        raise ValueError(f"{what} got no examples")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"{what} needs labels in [0, {num_classes}); leave unlabelled examples out")
    return features.astype(np.float32, copy=False), labels.astype(np.int32)
