"""TensorFlow Datasets that are prepared as array_record, read without TensorFlow."""

import contextlib
import os

from jssl.data.files.shares import evenly_spaced
from jssl.data.images.encoded import EncodedSource

__all__ = ["TFDSSource"]


class TFDSSource(EncodedSource):
    """One split of a prepared TFDS data set; images stay encoded until they are asked for.

    Args:
      name: "name", "name/config", "name:1.0.0" or the folder of a prepared version, each with ":split" behind it to
        name the split (sub-splits such as "train[:10%]" too).
      split: "train", "test" or "all", where name does not say; "test" falls back to "validation", then to held-out
        "train", and "all" is every split, by name.
      data_dir: where prepared data sets are; None is TFDS's own default.
      image_size: side of the square canvas; see `EncodedSource` for what holds without it.
      holdout: percentage that is held out, as a fraction, where there is only "train".
      on_error: "raise" or "skip", see `EncodedSource`.

    Raises:
      ValueError: if the data set is unknown, not prepared, prepared as TFRecord or has no images.
    """

    OPTIONS = {"data_dir": str, "image_size": int, "holdout": (int, float), "on_error": str}

    def __init__(self, name, split="train", *, data_dir=None, image_size=None, holdout=0.1, on_error="raise"):
        import tensorflow_datasets as tfds

        name, wanted = _parse(name)
        with _explained(name):
            if name.startswith((".", "/", "~")):
                builder = tfds.builder_from_directory(os.path.expanduser(name))
            else:
                builder = tfds.builder(name, data_dir=data_dir)
            features, splits = builder.info.features, tuple(builder.info.splits)
        if not splits:
            raise ValueError(
                f"data set {name} is not prepared in {builder.data_dir}; "
                f"run `tfds build {name} --file_format=array_record` once (that step needs tensorflow)"
            )
        images = [key for key in features if isinstance(features[key], tfds.features.Image)]
        labels = [key for key in features if isinstance(features[key], tfds.features.ClassLabel)]
        if not images:
            raise ValueError(f"data set {name} has no image feature; it has {', '.join(features)}")
        self._image = "image" if "image" in images else images[0]
        self._label = "label" if "label" in labels else labels[0] if labels else None
        wanted = wanted or _default_split(split, splits, holdout)
        with _explained(name):
            decoders = dict.fromkeys(images, tfds.decode.SkipDecoding())
            self._data = builder.as_data_source(wanted, decoders=decoders)
            len(self._data)  # opens the files
        # Splits that were published without labels have -1 in this place.
        if self._label:
            absent = [self._data[i][self._label] < 0 for i in evenly_spaced(len(self))]
            if all(absent) or split == "all" and any(absent):
                self._label = None
        class_names = tuple(features[self._label].names) if self._label else ()
        self._title = f"{name} {wanted}"
        names = [builder.info.full_name, wanted, str(len(self))]
        super().__init__(names, None, class_names, image_size=image_size, on_error=on_error)
        self.names = None  # of files: there are none

    def __len__(self):
        return len(self._data)

    def name(self, index):
        """Data set, split and number."""
        return f"example {index} of {self._title}"

    def record(self, index):
        """The encoded bytes and the label of an example."""
        example = self._data[index]
        label = int(example[self._label]) if self._label else None
        if label is not None and label < 0:
            raise ValueError("it has no label, unlike others of its split")
        return example[self._image], label

    def read(self, index):
        """The encoded bytes of an example."""
        return self.record(index)[0]


def _parse(name: str) -> tuple[str, str | None]:
    """Splits "name:version:split"; a version starts with a digit, a split does not."""
    name, _, rest = name.partition(":")
    if rest[:1].isdigit():
        version, _, rest = rest.partition(":")
        name = f"{name}:{version}"
    return name, rest or None


def _default_split(split: str, found: tuple[str, ...], holdout: float) -> str:
    """The TFDS split that plays the part of "train" or "test"."""
    if split == "all":
        return "+".join(found)
    percent = round(100 * (1 - holdout))
    if split == "test":
        return next((name for name in ("test", "validation") if name in found), f"train[{percent}%:]")
    return "train" if {"test", "validation"} & set(found) else f"train[:{percent}%]"


@contextlib.contextmanager
def _explained(name: str):
    """Turns what TFDS raises without TensorFlow into one line that says what to do."""
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        seen = []
        while cause is not None:
            seen.append(cause)
            cause = cause.__cause__ or cause.__context__
        if any(isinstance(e, ModuleNotFoundError) and "tensorflow" in str(e) for e in seen) or any(
            isinstance(e, NotImplementedError) for e in seen
        ):
            raise ValueError(
                f"data set {name} is stored as TFRecord, which only tensorflow reads; prepare it once with tensorflow "
                f"installed by `tfds build {name} --file_format=array_record`, or use folder: or tar:"
            ) from error
        message = str(error).strip().split("\n")[0].rstrip(".")[:200]
        raise ValueError(f"cannot open data set {name}: {message}; check its name and split") from error
