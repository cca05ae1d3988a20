"""A pretrained encoder in other people's programs: arrays in, arrays out."""

import pathlib
from collections.abc import Sequence

import jax
import numpy as np
from PIL import Image

from jssl.data import ArraySource, Source
from jssl.data.images.encoded import CANVAS
from jssl.evaluation.reading import collect
from jssl.evaluation.texts import Texts, tokenise
from jssl.report.run import Loaded, load_run

__all__ = ["Pretrained", "load"]


def load(workdir: str | pathlib.Path, *, teacher: bool = False) -> "Pretrained":
    """The encoder of a run, with the weights of its newest whole checkpoint, on the devices that are here.

    Nothing else of the run is needed: its data are not opened, and it may have been trained on other devices. What goes in
    and comes out are NumPy arrays, so that any framework may stand beside it; on a GPU that is shared with one, set
    ``XLA_PYTHON_CLIENT_PREALLOCATE=false`` first.

    ::

        model = jssl.load("runs/simclr")
        features = model.encode(pictures)          # (N, H, W, 3) uint8, or a list of (H, W, 3) of any sizes
        torch.from_numpy(features)                 # (N, D) float32

    Args:
      workdir: of ``jssl pretrain``.
      teacher: take the EMA teacher instead of the student.

    Raises:
      ValueError: no run or no whole checkpoint there, or a method without teacher.
    """
    return Pretrained(load_run(workdir), teacher=teacher)


class Pretrained:
    """See ``load``.

    Attributes:
      readouts: what ``encode`` can read, the default first: ``image``, and ``projector``, ``text`` and so on.
      step: of the checkpoint.
    """

    def __init__(self, loaded: Loaded, *, teacher: bool = False):
        loaded.check_teacher(teacher)
        self._loaded, self._teacher = loaded, teacher
        self.readouts: tuple[str, ...] = tuple(loaded.run.method.readouts)
        self.step = int(loaded.state.step)

    def encode(
        self, examples, *, readout: str | None = None, tokens: bool = False, batch_size: int = 128
    ) -> np.ndarray:
        """Features of pictures, of clips, or of texts where the run has a readout for them, in their order.

        Pictures of one size are taken as they are; each size is compiled once. Those of different sizes are brought to one
        canvas of 256 pixels a side, their aspect in mind, as ``jssl embed`` does with files: give many at a time.

        Args:
          examples: (N, H, W, 3) uint8 array, RGB from 0 to 255; a sequence of (H, W, 3) of any sizes; (N, T, H, W, 3)
            uint8, clips; a sequence of text.
          readout: one of ``readouts``; the first by default, ``text`` for texts.
          tokens: (N, T, D), the features of every patch in raster order.
          batch_size: examples at a time, at most.

        Returns:
          (N, D) float32.

        Raises:
          ValueError: examples of another type or shape, none, no such readout, or no tokens.
        """
        if len(examples) and all(isinstance(example, str) for example in examples):
            source: Source = self._texts(examples)
            readout = readout or "text"
        elif getattr(examples, "ndim", None) == 5:
            source = ArraySource({"video": np.asarray(examples)})
        else:
            source = _Pictures(examples)
        # A few examples are not worth a whole batch; powers of two keep the number of programs small.
        batch_size = min(batch_size, 1 << (len(source) - 1).bit_length())
        encoder = self._loaded.encoder({"": source}, teacher=self._teacher, batch_size=batch_size)
        return collect(encoder.stream("", readout, tokens=tokens), len(source))["features"]

    def _texts(self, texts: Sequence[str]) -> Texts:
        if self._loaded.text is None:
            name = self._loaded.run.method.name
            raise ValueError(f"this run of {name} has no tokenizer of texts; give pictures, (N, H, W, 3) uint8")
        return Texts(tokenise(list(texts), *self._loaded.text))

    def __repr__(self) -> str:
        return f"<{self._loaded.run.method.name} at step {self.step}: {', '.join(self.readouts)}>"


class _Pictures(Source):
    """Pictures as arrays."""

    def __init__(self, pictures):
        if getattr(pictures, "ndim", 4) != 4:
            raise ValueError(f"pictures are (N, H, W, 3) or a list of (H, W, 3), not {tuple(pictures.shape)}")
        self._pictures = [np.asarray(picture) for picture in pictures]
        if not self._pictures:
            raise ValueError("there are no pictures to encode")
        for number, picture in enumerate(self._pictures):
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] != 3 or not picture.size:
                told = f"picture {number} is {picture.dtype} {picture.shape}"
                raise ValueError(f"{told}; expected uint8 (H, W, 3), RGB from 0 to 255")
        sizes = {picture.shape[:2] for picture in self._pictures}
        self._canvas = sizes.pop() if len(sizes) == 1 else (CANVAS, CANVAS)
        self.spec = {
            "image": jax.ShapeDtypeStruct((*self._canvas, 3), np.uint8),
            "size": jax.ShapeDtypeStruct((2,), np.int32),
        }

    def __len__(self):
        return len(self._pictures)

    def __getitem__(self, index):
        picture = self._pictures[index]
        size = np.array(picture.shape[:2], np.int32)
        if picture.shape[:2] != self._canvas:
            image = Image.fromarray(picture).resize(self._canvas[::-1], Image.Resampling.BICUBIC, reducing_gap=2.0)
            picture = np.asarray(image)
        return {"image": picture, "size": size}
