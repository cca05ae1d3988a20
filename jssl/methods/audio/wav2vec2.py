"""wav2vec 2.0: name the quantised frame behind a masked place among those of other masked places."""

import dataclasses

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.durations import Length
from jssl.methods import encoders, networks
from jssl.methods.audio.waves import readouts, real_frames
from jssl.methods.audio_input import AudioInput, SpanMask
from jssl.methods.heads import linear
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks
from jssl.methods.options import Given
from jssl.methods.registry import register
from jssl.models import GumbelQuantizer
from jssl.models.positions import take_tokens

_TRANSFORMER = {"name": "wave_transformer", "width": 768, "depth": 12, "heads": 12, "convolution_gradient": 0.1}


@dataclasses.dataclass(frozen=True)
class Codes:
    """The quantiser of the targets, and how its Gumbel softmax cools.

    Attributes:
      groups: in each of which a code is chosen.
      entries: codes of a group.
      width: of the vectors that are chosen.
      start: temperature at step 0.
      lowest: temperature in the end.
      anneal: how long it falls, by the same factor at each step. The authors multiply it by 0.999995 a step, which takes
        277,259 of them from 2 to 0.5.
      diversity: weight of ``objectives.code_diversity_loss``.
    """

    groups: int = 2
    entries: int = 320
    width: int = 256
    start: float = 2.0
    lowest: float = 0.5
    anneal: Length = 277_259
    diversity: float = 0.1

    def temperature_at(self, step):
        """The temperature at a step.

        >>> [round(float(Codes(anneal=100).temperature_at(step)), 3) for step in (0, 50, 100, 1000)]
        [2.0, 1.0, 0.5, 0.5]
        """
        share = jnp.minimum(step / max(int(self.anneal), 1), 1.0)
        return self.start * (self.lowest / self.start) ** share


@register(
    "wav2vec2",
    paper="Baevski et al., wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations, "
    "arXiv:2006.11477",
    asks=("audio",),
    reads=("audio", "length"),
    golden="wav2vec2",
)
def build(
    given: Given,
    *,
    audio: AudioInput = AudioInput(),
    encoder: object = _TRANSFORMER,
    mask: SpanMask = SpanMask(),
    codes: Codes = Codes(),
    width: int = 256,
    negatives: int = 100,
    temperature: float = 0.1,
    penalty: float = 10.0,
) -> Method:
    """Builds wav2vec 2.0.

    Every example has the same share of its frames masked, where the authors take masked frames away at random until all
    examples of a batch have as many as the one with the fewest. Frames behind the end of a sound are neither masked nor
    predicted, nor are they negatives. No dropout. Logged beside the loss are its parts ``contrastive`` and
    ``code_diversity``, and ``code_perplexity``: how many of the codes the batch uses; near ``codes.groups`` the quantiser
    has collapsed, and the contrastive part means nothing.

    Args:
      given: the data, with ``audio`` and ``length``, and the compute dtype.
      audio: how waves enter.
      encoder: see ``encoders.make_frames``; its convolutions make what is quantised, its context network sees the masks.
      mask: what is hidden from the context network.
      codes: the quantiser.
      width: of the space in which context and codes are compared.
      negatives: for each masked frame, others of the same sound.
      temperature: of the comparison.
      penalty: weight of the mean square of the convolutions' output.
    """
    told = {"causal": False, "dtype": given.dtype}
    waves = encoders.make_frames("wav2vec2", encoder, **told)
    frames = waves.frames(audio.size(given))
    count = round(mask.ratio * frames)
    if mask.span > frames or count < 2:
        raise ValueError(
            f"wav2vec2 masks {count} of {frames} frames in spans of {mask.span}: take longer sounds (method.audio.samples), "
            "or change method.mask.span and method.mask.ratio"
        )
    quantizer = GumbelQuantizer(codes.groups, codes.entries, codes.width, dtype=given.dtype)
    nets = Networks(
        encoder=waves,
        quantizer=quantizer,
        context_projection=linear(width, given.dtype),
        code_projection=linear(width, given.dtype),
    )
    view = audio.view(given)

    def make_views(key, example):
        wave_key, mask_key, negative_key = jax.random.split(key, 3)
        wave = view(wave_key, example)
        true = waves.frames(wave.length)
        indices, kept, masked = views.span_mask(mask_key, frames, count=count, span=mask.span, length=true)
        others = views.other_indices(negative_key, count, negatives, among=jnp.sum(kept.astype(jnp.int32)))
        return {
            "audio": wave.audio,
            "length": wave.length,
            "masked": masked,
            "indices": indices,
            "kept": kept,
            "negatives": others,
        }

    def forward(net, batch, step):
        features = net("encoder", batch["audio"], length=batch["length"], masked=batch["masked"])
        places = batch["indices"]
        quantized = net("quantizer", take_tokens(features.local, places), temperature=codes.temperature_at(step))
        context = net("context_projection", take_tokens(features.tokens, places))
        return features, context, net("code_projection", quantized.vectors), quantized

    def init(key, batch):
        return nets.init(key, lambda net: forward(net, batch, 0))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        features, context, targets, quantized = forward(net, batch, step)
        kept = batch["kept"]
        contrastive = objectives.wav2vec2_loss(
            context, targets, batch["negatives"], kept, temperature=temperature, axis_name=axis_name
        )
        diversity = objectives.code_diversity_loss(quantized.probabilities, kept, axis_name=axis_name)
        size = objectives.denoising_loss(
            features.local,
            jnp.zeros_like(features.local),
            weights=real_frames(waves, features.local, batch["length"]),
            axis_name=axis_name,
        )
        used = jax.nn.one_hot(quantized.chosen, codes.entries, dtype=jnp.float32)
        perplexity = objectives.code_perplexity(used, kept, axis_name=axis_name)
        metrics = {
            "contrastive": contrastive,
            "code_diversity": diversity,
            "code_perplexity": perplexity,
            "codes_per_group": perplexity / codes.groups,
        }
        value = contrastive + codes.diversity * diversity + penalty * size
        return value, Aux(networks.updates(net), metrics, features.pooled)

    return Method(
        "wav2vec2",
        frozenset({"audio", "length"}),
        make_views,
        init,
        loss,
        readouts(nets, given, audio),
        coupled="the diversity of the codes is that of the whole batch",
    )
