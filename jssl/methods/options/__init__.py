"""Groups of options that methods share, as frozen dataclasses with defaults: each is written once.

In a config they are the nested keys of ``config.method``: ``--config.method.image.size=96``,
``--config.method.head.prototypes=4096``. A group whose key is not set keeps the method's own default.
"""

from jssl.methods.options.crops import MultiCrop
from jssl.methods.options.given import Given
from jssl.methods.options.images import ImageInput, ImageView, Prepare
from jssl.methods.options.networks import Transformer
from jssl.methods.options.self_distillation import Centering, PrototypeHead, Temperatures
from jssl.methods.options.videos import ClipView, VideoInput

__all__ = [
    "Centering",
    "ClipView",
    "Given",
    "ImageInput",
    "ImageView",
    "MultiCrop",
    "Prepare",
    "PrototypeHead",
    "Temperatures",
    "Transformer",
    "VideoInput",
]
