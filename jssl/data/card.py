"""What a run remembers of its data, so that nothing later opens the training set to learn a shape."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jssl.data.source import About, Source, Spec


@dataclasses.dataclass(frozen=True)
class Card:
    """Spec, description, size and fingerprint of a data set.

    Attributes:
      spec: see ``Source``.
      about: see ``Source``.
      num_examples: its length.
      fingerprint: see ``Source``.

    >>> from jssl.data import open_source
    >>> card = Card.of(open_source("synthetic:num_examples=20"))
    >>> Card.from_json(card.to_json()) == card
    True
    """

    spec: Spec
    about: About
    num_examples: int
    fingerprint: str = ""

    @classmethod
    def of(cls, source: Source) -> "Card":
        """The card of a source."""
        return cls(dict(source.spec), source.about, len(source), source.fingerprint)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        spec = {name: [list(field.shape), jnp.dtype(field.dtype).name] for name, field in self.spec.items()}
        about = {key: list(v) if isinstance(v, tuple) else v for key, v in dataclasses.asdict(self.about).items()}
        return {"spec": spec, "about": about, "num_examples": self.num_examples, "fingerprint": self.fingerprint}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "Card":
        """Back from JSON."""
        spec = {
            name: jax.ShapeDtypeStruct(tuple(shape), jnp.dtype(dtype)) for name, (shape, dtype) in saved["spec"].items()
        }
        about: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in saved["about"].items()}
        return cls(spec, About(**about), saved["num_examples"], saved["fingerprint"])
