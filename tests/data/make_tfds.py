"""A small TFDS builder, prepared as array_record without TensorFlow."""

import io

import numpy as np
import tensorflow_datasets as tfds
from pictures import encode, picture


class TinyShapes(tfds.core.GeneratorBasedBuilder):
    """Twelve train and four test pictures in three classes."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(num_classes=3),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, 12), "test": self._generate_examples(12, 16)}

    def _generate_examples(self, start, end):
        for i in range(start, end):
            yield i, {"image": io.BytesIO(encode(picture(i))), "label": i % 3}


class OnlyTrain(TinyShapes):
    """No test split."""

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, 20)}


class PartlyLabelled(TinyShapes):
    """No label in the test split and a third of the train split."""

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, 6), "test": self._generate_examples(6, 10)}

    def _generate_examples(self, start, end):
        for i, example in super()._generate_examples(start, end):
            yield i, example | {"label": -1 if i >= 6 or i % 3 == 0 else example["label"]}


class NoImages(tfds.core.GeneratorBasedBuilder):
    """Numbers only."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"x": tfds.features.Scalar(np.int32)})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"x": 1}


def prepare(builder, folder, **options):
    builder = builder(data_dir=str(folder), file_format="array_record", **options)
    builder.download_and_prepare()
    return builder.data_dir
