"""Prototypes, and the softmaxes over them, of self-distillation."""

import dataclasses

import jax.numpy as jnp

from jssl.durations import Length
from jssl.models import DINOHead


@dataclasses.dataclass(frozen=True)
class PrototypeHead:
    """An MLP with a normalised bottleneck before prototypes (``models.DINOHead``).

    Attributes:
      hidden: width of the hidden layers.
      bottleneck: width of the normalised layer before the prototypes.
      prototypes: outputs.
      norm_last_layer: keep the prototypes' gains at one.
      batch_norm: normalise the hidden layers. Off in the papers; on, targets are sharp from the first step, which a
        short run needs: without it all pictures have much the same logits for hundreds of steps.
    """

    hidden: int = 2048
    bottleneck: int = 256
    prototypes: int = 65536
    norm_last_layer: bool = True
    batch_norm: bool = False

    def module(self, dtype) -> DINOHead:
        """The head."""
        return DINOHead(
            hidden=self.hidden,
            bottleneck=self.bottleneck,
            out_dim=self.prototypes,
            norm_last_layer=self.norm_last_layer,
            batch_norm=self.batch_norm,
            dtype=dtype,
        )


@dataclasses.dataclass(frozen=True)
class Temperatures:
    """Of the two softmaxes of self-distillation.

    Attributes:
      student: of the student's.
      teacher: of the teacher's, after the warm-up.
      teacher_start: of the teacher's, at step 0.
      warmup: how long it rises linearly.
    """

    student: float = 0.1
    teacher: float = 0.04
    teacher_start: float = 0.04
    warmup: Length = 0

    def teacher_at(self, step):
        """The teacher's temperature at a step."""
        share = jnp.minimum(step / max(int(self.warmup), 1), 1.0)
        return self.teacher_start + (self.teacher - self.teacher_start) * share


@dataclasses.dataclass(frozen=True)
class Centering:
    """What keeps targets from naming one prototype for all pictures.

    Attributes:
      kind: ``"softmax"`` of logits minus their running mean, or ``"sinkhorn"``, which balances each batch.
      momentum: EMA momentum of the running mean.
    """

    kind: str = "softmax"
    momentum: float = 0.9

    def __post_init__(self):
        if self.kind not in ("softmax", "sinkhorn"):
            raise ValueError(f"no centering {self.kind!r}: use softmax or sinkhorn")
