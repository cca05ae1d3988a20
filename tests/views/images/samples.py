"""The tiny image, keys and jitter strength that the tests of image operations share."""

import jax
import numpy as np

# Values at the ends make the order of clamped colour operations visible.
SMALL = np.clip(np.random.default_rng(0).uniform(-0.3, 1.3, (5, 4, 3)), 0, 1).astype(np.float32)
STRENGTH = dict(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)


def keys(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)
