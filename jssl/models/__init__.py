"""Encoders and what sits on them: flax.linen modules, pure ``init`` and ``apply``, parameters as plain nested dicts."""

from jssl.models.heads import MLP
from jssl.models.resnet import ResNet

__all__ = ["MLP", "ResNet"]
