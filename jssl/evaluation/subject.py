"""What is evaluated: frozen features of the splits of a data set, with the fields of the examples beside them."""

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding

from jssl.data.source import About, Source, Spec
from jssl.evaluation import baselines
from jssl.evaluation.augmented import Augmented, Views
from jssl.evaluation.features import extract, stream
from jssl.evaluation.reading import batches, collect
from jssl.evaluation.selection import WORDS, is_selection, select

__all__ = ["Encoder", "Raw", "Subject", "Text"]

Bank = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Features, values of a field, and which example each row is."""

KEPT = ("label", "speaker", "captions")
"""Fields that are kept from the pass that computes features, so that nothing is decoded twice for them."""


class Text(NamedTuple):
    """How the text readout of an encoder takes text.

    Attributes:
      tokenizer: as ``jssl.data.text.tokenizers.make`` takes it.
      length: tokens per text.
    """

    tokenizer: str
    length: int


class Subject(abc.ABC):
    """Features and fields of the splits of a data set, each read once.

    Args:
      sources: split -> source; "test", and "train" for protocols that learn.

    Attributes:
      name: what messages call it.
      readouts: names of its readouts, the default first; none where there is but one kind of features.
      text: how texts are made for its text readout; None where there is none.
      identity: what its figures hang on beside the data, as JSON, where they are worth keeping; None where they are not.
      reads: protocol -> the features that it takes unless it is told which; the default readout where it has no entry.
    """

    name: str
    readouts: tuple[str, ...] = ()
    reads: Mapping[str, str] = MappingProxyType({})
    text: Text | None = None
    identity: Any = None

    def __init__(self, sources: Mapping[str, Source]):
        if not sources:
            raise ValueError("there is no split to evaluate on; give a test split at least")
        self._sources = dict(sources)
        self._features: dict[tuple[str, str | None], np.ndarray] = {}
        self._fields: dict[tuple[str, str], np.ndarray] = {}

    @property
    def about(self) -> About:
        """What is known of the data; the test split where there is one."""
        return self.source("test" if "test" in self._sources else next(iter(self._sources))).about

    def source(self, split: str) -> Source:
        """The source of a split; ValueError if there is none."""
        if split not in self._sources:
            raise ValueError(f"there is no {split} split to evaluate on; there are {', '.join(self._sources)}")
        return self._sources[split]

    @property
    def key(self) -> list | None:
        """What its figures hang on, as JSON; None if that is not known or they are not worth keeping."""
        marks = {split: source.fingerprint for split, source in self._sources.items()}
        return [self.identity, marks] if self.identity and all(marks.values()) else None

    @property
    def spec(self) -> Spec:
        """The fields that the examples of every split have."""
        specs = [source.spec for source in self._sources.values()]
        return {name: field for name, field in specs[0].items() if all(name in spec for spec in specs)}

    def has(self, name: str) -> bool:
        """Whether the examples of every split have a field."""
        return name in self.spec

    def features(self, split: str, readout: str | None = None) -> np.ndarray:
        """(N, D) float32 of a split through a readout, the default one if None, or as ``selection.WORDS`` say."""
        key = split, self._known(readout)
        if key not in self._features:
            self._compute(*key)
        return self._features[key]

    def bank(self, field: str, readout: str | None = None) -> Bank:
        """What a protocol learns from: of the training split, this process's part of the features, and of a field.

        Args:
          field: labels, say.
          readout: see ``features``.

        Returns:
          (n, D) float32, (n, ...), and (n,), their places among all examples, ascending. One process has them all.
        """
        features, values = self.features("train", readout), self.field("train", field)
        index = np.arange(jax.process_index(), len(features), jax.process_count())
        return (features, values, index) if len(index) == len(features) else (features[index], values[index], index)

    def augmented(self, field: str, readout: str | None = None, *, views: int, seed: int) -> Bank:
        """``bank`` of random views of the training examples, all of them in every process; one without views has the plain one.

        Returns:
          (n views, D) float32, (n views, ...), and (n views,), which example each row shows.
        """
        del views, seed
        features = self.features("train", readout)
        return features, self.field("train", field), np.arange(len(features))

    def knows(self, readout: str) -> bool:
        """Whether ``features`` takes this."""
        return readout in self.readouts or is_selection(readout)

    def _known(self, readout: str | None) -> str:
        if readout and not self.knows(readout):
            known = ", ".join(self.readouts) or "one"
            raise ValueError(
                f"{self.name} has no readout {readout!r}; it has {known}, and {', '.join(WORDS)} of the first"
            )
        return readout or next(iter(self.readouts), "")

    def field(self, split: str, name: str) -> np.ndarray:
        """(N, ...) of a split; free for the fields in ``KEPT`` once an encoder's features have been computed."""
        if name not in self.source(split).spec:
            raise ValueError(f"the {split} split has no {name}")
        if (split, name) not in self._fields:
            source = self.source(split)
            self._fields[split, name] = collect(({name: b[name]} for b in batches(source)), len(source))[name]
        return self._fields[split, name]

    @abc.abstractmethod
    def encode(self, readout: str, source: Source) -> np.ndarray:
        """(N, D) float32 of any other source, prompts say; not kept."""

    @abc.abstractmethod
    def _compute(self, split: str, readout: str | None) -> None:
        """Puts the features of a split, and those of its fields that come with them, where they are kept."""


class Encoder(Subject):
    """A network behind its readouts.

    Args:
      readouts: name -> readout, see ``jssl.evaluation.extract``; ``method.readouts``.
      variables: (params, extra).
      sources: see ``Subject``.
      batch_size: examples at a time, over all devices.
      sharding: how a batch is laid out; None is one device.
      text: what the text readout was trained on, known to the run; by default as the data say.
      name: what messages call it.
      identity: see ``Subject``.
      reads: see ``Subject``.
      finetune: options of the protocol ``finetune`` -> its figures; None where the network cannot be trained on.

    >>> from types import SimpleNamespace as Namespace
    >>> from jssl.evaluation.texts import Texts
    >>> length = lambda params, extra, rows: Namespace(pooled=(rows > 0).sum(1, keepdims=True))
    >>> readout = Namespace(prepare=lambda example: example["captions"][0], apply=length)
    >>> encoder = Encoder({"text": readout}, ({}, {}), {"test": Texts(np.array([[7, 8, 0], [9, 0, 0]], np.int32))})
    >>> encoder.features("test").tolist(), encoder.field("test", "captions").shape
    ([[2.0], [1.0]], (2, 1, 3))
    """

    def __init__(
        self,
        readouts: Mapping[str, Any],
        variables: tuple[Any, Any],
        sources: Mapping[str, Source],
        *,
        batch_size: int = 256,
        sharding: NamedSharding | None = None,
        text: Text | None = None,
        name: str = "the encoder",
        identity: Any = None,
        reads: Mapping[str, str] = MappingProxyType({}),
        finetune: Callable[..., dict[str, float]] | None = None,
    ):
        super().__init__(sources)
        self.reads, self.finetune = reads, finetune
        self.name, self.readouts, self.identity = name, tuple(readouts), identity
        self._readouts, self._variables = readouts, variables
        self._bank: dict[tuple[str, str], tuple] = {}
        self._layout: dict[str, Any] = {"batch_size": batch_size, "sharding": sharding}
        self.text = text or self._text()

    def _text(self) -> Text | None:
        if not self.about.tokenizer or not self.has("captions"):
            return None
        return Text(self.about.tokenizer, self.spec["captions"].shape[1])

    def stream(
        self,
        split: str,
        readout: str | None = None,
        *,
        fields: Sequence[str] = (),
        tokens: bool = False,
        indices: Iterable[int] | None = None,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Features of a split batch by batch, see ``jssl.evaluation.stream``; none are kept."""
        found, source = self._readout(readout), self.source(split)
        return stream(found, self._variables, source, fields=fields, tokens=tokens, indices=indices, **self._layout)

    def bank(self, field, readout=None):
        if jax.process_count() == 1:
            return super().bank(field, readout)
        key = field, self._known(readout)
        if key not in self._bank:
            source = self.source("train")
            layout = self._layout | {"fields": (field,), "share": True}
            # A batch that is larger than the split would leave the last processes without a row.
            devices = jax.device_count()
            layout["batch_size"] = min(layout["batch_size"], -(-len(source) // devices) * devices)
            parts = list(stream(self._readout(readout), self._variables, source, **layout))
            self._bank[key] = tuple(
                np.concatenate([part[name] for part in parts]) for name in ("features", field, "index")
            )
        return self._bank[key]

    def augmented(self, field, readout=None, *, views, seed):
        found, examples = self._readout(readout), self.source("train")
        if getattr(found.prepare, "augment", None) is None:
            raise ValueError(f"views={views}: {self.name} has no random crops of these examples; leave it out")
        source = Views(examples, views, seed=seed)
        parts = stream(Augmented(found), self._variables, source, fields=(field,), **self._layout)
        arrays = collect(parts, len(source))
        return arrays["features"], arrays[field], np.arange(len(source)) % len(examples)

    def _readout(self, readout: str | None):
        name = self._known(readout)
        return self._readouts[name] if name in self._readouts else select(self._readouts[self.readouts[0]], name)

    def encode(self, readout, source):
        return extract(self._readouts[readout], self._variables, source, **self._layout)

    def _compute(self, split, readout):
        spec = self.source(split).spec
        kept = [name for name in KEPT if name in spec and (split, name) not in self._fields]
        arrays = collect(self.stream(split, readout, fields=kept), len(self.source(split)))
        self._features[split, readout] = arrays.pop("features")
        self._fields |= {(split, name): array for name, array in arrays.items()}


class Raw(Subject):
    """The raw input of the modality, ``baselines.raw``: what every encoder must beat.

    Args:
      sources: "train" and "test".

    >>> from jssl.evaluation.texts import Texts
    >>> texts = Texts(np.array([[3, 4, 0], [3, 3, 3]], np.int32))
    >>> Raw({"train": texts, "test": texts}).features("test").round(2)
    array([[-0.35,  0.35],
           [ 0.35, -0.35]], dtype=float32)
    """

    name = identity = "the raw input"

    def _known(self, readout):
        super()._known(readout)
        return ""  # whatever the words, there is but one kind

    def encode(self, readout, source):
        raise ValueError(f"{self.name} has no readout {readout!r}")

    def _compute(self, split, readout):
        # Both splits at once: the training split centres both, and has to be read for either.
        pair = baselines.raw(self.source("train"), self.source("test"))
        self._features |= {("train", readout): pair[0], ("test", readout): pair[1]}
