"""Projectors, predictors and classifiers by the widths of their layers."""

import flax.linen as nn

from jssl.models import MLP
from jssl.models.flat_dot import flat_dot


def mlp(widths: tuple[int, ...], dtype, **options) -> MLP:
    """Dense, batch norm and ReLU per layer but the last; ``options`` are those of ``models.MLP``."""
    return MLP(tuple(widths), dtype=dtype, **options)


def linear(width: int, dtype) -> nn.Dense:
    """One Dense layer."""
    return nn.Dense(width, dot_general=flat_dot, dtype=dtype)
