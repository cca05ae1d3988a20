"""Encoders by field and name: what turns a picture, or a row of tokens, into features.

``ENCODERS["image"]["resnet18"]`` is a function of options that returns a linen module or any other ``networks.Network``. A
method takes an encoder as options, ``{"name": "resnet18", "stem": "cifar"}``, or as an object of the user's own.
"""

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from jssl.hints import nearest
from jssl.methods.method import Readout
from jssl.methods.networks import Linen, Network, Networks, as_network
from jssl.models import Features, FrameGRU, FrameTransformer, TokenTransformer, WaveEncoder, resnet, vit
from jssl.models.audio.waveform import CPC, WAV2VEC2

ENCODERS: dict[str, dict[str, Callable]] = {"image": {}, "tokens": {}, "video": {}, "audio": {}, "frames": {}}
"""Field -> name -> function of options. It is told ``image_size`` (pixels; height and width where they differ), ``frames`` (of a
clip), ``vocabulary``, ``length`` (of a row of tokens), ``causal`` (no token may see a later one) and ``dtype``, where it asks
for them."""


def register(field: str, name: str):
    """Decorates the function that makes the encoder ``name`` for a field.

    >>> import flax.linen as nn
    >>> @register("image", "mean_colour")
    ... def mean_colour(*, width: int = 8):
    ...     class MeanColour(nn.Module):
    ...         @nn.compact
    ...         def __call__(self, images):
    ...             return nn.Dense(width)(images.mean((1, 2)))
    ...     return MeanColour()
    >>> encoder = make("image", {"name": "mean_colour"}, image_size=32, dtype="float32")
    >>> del ENCODERS["image"]["mean_colour"]
    """

    def add(function):
        ENCODERS.setdefault(field, {})[name] = function
        return function

    return add


@dataclasses.dataclass(frozen=True)
class Encoder:
    """An encoder as a Network whose output is always ``Features``: an array (B, D) counts as pooled.

    Attributes:
      network: what is called.
    """

    network: Network

    def init(self, key, *inputs, **options):
        """See ``Network``."""
        return self.network.init(key, *inputs, **options)

    def apply(self, *arguments, **options):
        """See ``Network``."""
        outputs, statistics = self.network.apply(*arguments, **options)
        return (outputs if isinstance(outputs, Features) else Features(outputs)), statistics


@dataclasses.dataclass(frozen=True)
class PatchEncoder(Encoder):
    """An encoder that can read a part of a picture's patches, with the calling convention of ``models.ViT``.

    Attributes:
      patch_size: pixels per side of a patch.
      width: of a token.
      depth: blocks.
      pools_token: the pooled output is the class token.
      tubelet: frames of a patch; None where it reads pictures.
    """

    patch_size: int
    width: int
    depth: int
    pools_token: bool
    tubelet: int | None = None


@dataclasses.dataclass(frozen=True)
class FrameEncoder(Encoder):
    """An encoder of waves, ``(audio (B, T), length=(B,))``, whose features have ``local``; its tokens are frames.

    Attributes:
      frames: samples, a number or an integer array -> how many frames these are.
    """

    frames: Callable


def make(field: str, encoder: Any, **told) -> Encoder:
    """An encoder from its options, or from a module.

    Args:
      field: what it reads: ``"image"``, ``"video"``, ``"tokens"``.
      encoder: ``{"name": ..., **options}``, or a linen module, or a Network (see ``jssl.methods.networks``).
      **told: what the method knows: what ``ENCODERS`` lists. A module is taken as it is.

    Raises:
      ValueError: no such name (the nearest is named) or option, an option missing, or a vocabulary that nobody has told.
    """
    module = encoder
    if isinstance(encoder, Mapping):
        options = dict(encoder)
        name = options.pop("name", None)
        known = ENCODERS[field]
        if name not in known:
            raise ValueError(f"no encoder {name!r} for {field}{nearest(str(name), known)}")
        function = known[name]
        accepted = inspect.signature(function).parameters
        open_ended = any(p.kind is p.VAR_KEYWORD for p in accepted.values())
        told = {key: value for key, value in told.items() if key in accepted or (open_ended and key == "dtype")}
        options = {**told, **options}
        if options.get("vocabulary", 0) is None:
            raise ValueError(
                f"the encoder {name} reads tokens: the data set must say its vocabulary (about.vocabulary)"
            )
        try:
            module = function(**options)
        except TypeError as error:
            _, unknown, option = str(error).rpartition("unexpected keyword argument ")
            told_of = f"has no option {option}" if unknown else f"is not complete: {error}"
            raise ValueError(f"the encoder {name} {told_of}") from error
    if callable(frames := getattr(module, "frames", None)):
        return FrameEncoder(as_network(module), frames)
    if getattr(module, "patch_size", None) is None:
        return Encoder(as_network(module))
    token = getattr(module, "pool", "token") == "token"
    tubelet = getattr(module, "tubelet", None)
    return PatchEncoder(as_network(module), module.patch_size, module.width, module.depth, token, tubelet)


def make_patches(method: str, encoder: Any, *, field: str = "image", mask_token: bool = False, **told) -> PatchEncoder:
    """``make(field, ...)`` for methods that hide patches; with ``mask_token`` the options ask for one unless they say else.

    Raises:
      ValueError: also for an encoder that has no patches, and where a picture, or a frame, is one patch.
    """
    made = make(field, encoder, **told)
    if not isinstance(made, PatchEncoder):
        name = encoder.get("name") if isinstance(encoder, Mapping) else type(encoder).__name__
        raise ValueError(f"{method} needs patches: use an encoder vit_tiny ... vit_huge or vit, not {name!r}")
    size = told["image_size"]
    sides = size if isinstance(size, tuple) else (size, size)
    if math.prod(side // made.patch_size for side in sides) < 2:
        what = "x".join(map(str, size)) if isinstance(size, tuple) else f"method.{field}.size={size}"
        raise ValueError(
            f"{method}: {what} is one patch of {made.patch_size}, with nothing beside it to predict from; "
            f"use at least {2 * made.patch_size}, or smaller patches"
        )
    if mask_token and isinstance(encoder, Mapping):
        return make_patches(method, {"mask_token": True, **encoder}, field=field, **told)
    return made


def make_frames(method: str, encoder: Any, **told) -> FrameEncoder:
    """``make("audio", ...)`` for methods that need what is heard in each frame before it is put into context.

    Raises:
      ValueError: also for an encoder that says nothing of its frames.
    """
    made = make("audio", encoder, **told)
    if not isinstance(made, FrameEncoder):
        name = encoder.get("name") if isinstance(encoder, Mapping) else type(encoder).__name__
        raise ValueError(f"{method} needs frames of waves: use an encoder wave_transformer or wave_gru, not {name!r}")
    return made


def make_pyramid(method: str, encoder: Any, **told) -> Encoder:
    """``make("image", ...)`` for methods that need the map of every stage, ``Features.pyramid``.

    Raises:
      ValueError: also for an encoder that has no stages.
    """
    made = make("image", encoder, **told)
    module = made.network.module if isinstance(made.network, Linen) else None
    if module is not None and "pyramid" not in inspect.signature(type(module).__call__).parameters:
        name = encoder.get("name") if isinstance(encoder, Mapping) else type(encoder).__name__
        raise ValueError(f"{method} needs maps of several sizes: use an encoder resnet18 ... or resnet, not {name!r}")
    return made


def read(networks: Networks, head: str | None = None) -> Callable:
    """The ``apply`` of a readout, in evaluation mode: the features of the encoder, or what a head makes of the pooled.

    That of the encoder takes ``last``, too: how many blocks' outputs to return.
    """

    def apply(params, extra, inputs, *, last=0):
        if last and not isinstance(networks.by_name["encoder"], PatchEncoder):
            raise ValueError("last asks for the outputs of blocks; this encoder has none")
        return networks.frozen(params, extra)("encoder", inputs, **({"last": last} if last else {}))

    def apply_head(params, extra, inputs):
        return Features(networks.frozen(params, extra)(head, apply(params, extra, inputs).pooled))

    return apply if head is None else apply_head


def last_blocks(encoder: Encoder, *, beside: str = "") -> dict[str, str]:
    """What ``Method.reads`` says where linear probes take the pooled outputs of the last four blocks.

    Args:
      encoder: of the method; one without blocks has nothing but its pooled features.
      beside: what else they take: ``"mean"``.
    """
    if not isinstance(encoder, PatchEncoder):
        return {}
    words = f"last{min(4, encoder.depth)}" + (f"+{beside}" if beside else "")
    return dict.fromkeys(("linear", "few_labels"), words)


def readouts(networks: Networks, prepare: Callable, *heads: str, field: str = "image") -> dict[str, Readout]:
    """The readouts of a method: the encoder's features, by the name of what it reads, and what each head makes of these.

    Args:
      networks: with ``encoder`` and the heads.
      prepare: see ``Readout``.
      *heads: networks that take the pooled features; the teacher has them too where there is one.
      field: what the encoder reads: ``"image"``, ``"video"``.
    """
    return {field: Readout(prepare, read(networks)), **{h: Readout(prepare, read(networks, h)) for h in heads}}


def frame_transformer(*, causal: bool, **options) -> FrameTransformer:
    """Positions are convolutional, and rotary where no frame may see a later one."""
    return FrameTransformer(causal=causal, **{"positions": "rotary" if causal else "convolution", **options})


def _register_families():
    for name in resnet.SIZES:
        register("image", name)(lambda name=name, **options: resnet.make(name, **options))
    register("image", "resnet")(lambda **options: resnet.ResNet(**options))
    for size in vit.SIZES:
        register("image", f"vit_{size}")(
            lambda *, image_size, size=size, **options: vit.make(size, image_size=image_size, **options)
        )
        register("video", f"vit_{size}")(
            lambda *, image_size, frames, size=size, tubelet=2, **options: vit.make(
                size, image_size=image_size, frames=frames, tubelet=tubelet, **options
            )
        )
    register("image", "vit")(lambda *, image_size, **options: vit.ViT(image_size=image_size, **options))
    register("video", "vit")(
        lambda *, image_size, frames, tubelet=2, **options: vit.ViT(
            image_size=image_size, frames=frames, tubelet=tubelet, **options
        )
    )
    register("tokens", "transformer")(
        lambda *, vocabulary, length, causal, **options: TokenTransformer(
            vocabulary=vocabulary, length=length, causal=causal, **options
        )
    )
    register("frames", "gru")(lambda **options: FrameGRU(**options))
    register("frames", "transformer")(frame_transformer)
    register("audio", "wave_gru")(
        lambda *, dtype, layers=CPC, norm="layer", convolution_gradient=1.0, **options: WaveEncoder(
            FrameGRU(dtype=dtype, **options), layers, norm, convolution_gradient, dtype=dtype
        )
    )
    register("audio", "wave_transformer")(
        lambda *, causal, dtype, layers=WAV2VEC2, norm="group", convolution_gradient=1.0, **options: WaveEncoder(
            frame_transformer(causal=causal, dtype=dtype, **options), layers, norm, convolution_gradient, dtype=dtype
        )
    )


_register_families()
