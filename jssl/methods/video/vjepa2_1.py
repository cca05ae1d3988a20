"""V-JEPA 2.1: as V-JEPA 2, on features of four depths, and with a loss on the context, too."""

import dataclasses

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.durations import Length
from jssl.methods import encoders, networks
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks
from jssl.methods.options import Given, VideoInput
from jssl.methods.registry import register
from jssl.methods.video.clip_masks import VIT, ClipMasks, ClipPredictor, make_views, standardized, tubelets
from jssl.models import VJEPA21Predictor
from jssl.models.positions import take_tokens

_LEVELS = 4


@dataclasses.dataclass(frozen=True)
class ContextLoss:
    """The loss on the features of the context itself.

    Attributes:
      weight: of it beside the loss on targets.
      start: until when it counts nothing.
      full: from when on it has all its weight; in between it grows linearly.
    """

    weight: float = 0.5
    start: Length = 0
    full: Length = 0

    def at(self, step):
        """The weight at a step."""
        start, full = int(self.start), int(self.full)
        share = jnp.clip((step - start) / max(full - start, 1), 0.0, 1.0)
        return self.weight * jnp.where(step >= full, 1.0, share)


@register(
    "vjepa2_1",
    paper="V-JEPA 2.1, arXiv:2603.14482",
    carries=("teacher", "predictor"),
    asks=("video", "patches"),
    reads=("video",),
    golden="vjepa",
)
def build(
    given: Given,
    *,
    video: VideoInput = VideoInput(),
    encoder: object = {**VIT, "positions": "rotary"},
    predictor: ClipPredictor = ClipPredictor(width=384, depth=12, heads=12, positions="rotary"),
    masks: ClipMasks = ClipMasks(),
    context: ContextLoss = ContextLoss(),
    exponent: float = 1.0,
) -> Method:
    """Builds V-JEPA 2.1.

    The predictor sees four levels of the encoder side by side, the last of each quarter of its blocks, and predicts the four
    of the teacher, each layer-normalised. Of the context it predicts them, too: there an error counts one over the square root of
    the distance, in tubelets, to the nearest one that is hidden.

    Args:
      given: the data and the compute dtype.
      video: how clips enter; ``augment`` changes ``views.mae``.
      encoder: see ``encoders.make``; with tubelets, in the paper rotary, without class token and with mean pooling.
      predictor: its size and positions.
      masks: what is context and what is predicted, for each kind of mask.
      context: the loss on the context.
      exponent: of the distance between features; 1 is L1.

    The authors' encoder has a layer norm with parameters behind each level, here that of the last is the encoder's own and the
    other levels have none; their first level of 24 blocks is the fifth, here the sixth. They train on pictures beside clips.
    """
    vit, grid = tubelets("vjepa2_1", given, video, encoder)
    depths = levels(vit.depth)
    nets = Networks(
        encoder=vit,
        predictor=VJEPA21Predictor(
            width=predictor.width,
            depth=predictor.depth,
            heads=predictor.heads,
            positions=predictor.positions,
            grid=grid,
            out_dim=len(depths) * vit.width,
            hidden=vit.width,
            mask_tokens=masks.kinds,
            dtype=given.dtype,
        ),
    )

    def encode(net, clips, **which):
        """(levels side by side (B, K, levels * D), pooled): all but the last are normalised here."""
        features = net("encoder", clips, last=vit.depth, **which)
        lower = [standardized(features.layers[depth]).astype(features.tokens.dtype) for depth in depths[:-1]]
        return jnp.concatenate([*lower, features.tokens], -1), features.pooled

    def predict(net, batch, found):
        """The features of targets and of contexts, of each kind of mask, (B, K, levels * D)."""
        targets, contexts = [], []
        for kind, m in enumerate(found):
            seen, _ = encode(net, batch["video"], indices=m["context"], token_mask=m["context_mask"])
            inputs = seen, m["context"], m["context_mask"], m["target"][:, None], m["target_mask"][:, None]
            of_target, of_context = net("predictor", *inputs, kind=kind)
            targets.append(of_target[:, 0])
            contexts.append(of_context[:, 0])
        return targets, contexts

    def init(key, batch):
        return nets.init(key, lambda net: predict(net, batch, masks.of(batch, None)), tracked=["encoder"])

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        found = masks.of(batch, axis_name)
        ema = nets.teacher(teacher, extra, axis_name=axis_name)
        whole, pooled = encode(ema, batch["video"])
        whole = jnp.concatenate([standardized(level) for level in jnp.split(whole, len(depths), -1)], -1)
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        of_targets, of_contexts = predict(net, batch, found)

        def compared(predictions, name, weights):
            true = [take_tokens(whole, m[name]) for m in found]
            return objectives.vjepa_loss(predictions, true, weights=weights, exponent=exponent, axis_name=axis_name)

        value = compared(of_targets, "target", [m["target_mask"].astype(jnp.float32) for m in found])
        near = [_nearness(m, grid) for m in found]
        value = value + context.at(step) * compared(of_contexts, "context", near)
        return value, Aux(networks.updates(net, ema), {}, pooled)

    return Method(
        "vjepa2_1",
        frozenset({"video"}),
        make_views(given, video, masks, grid),
        init,
        loss,
        encoders.readouts(nets, video.prepare(given), field="video"),
        teacher=lambda params: {"encoder": params["encoder"]},
        coupled=masks.coupled,
        reads_teacher=True,
    )


def levels(depth: int) -> tuple[int, ...]:
    """The last block of each quarter of an encoder, or all blocks where there are fewer than four.

    >>> levels(12), levels(2)
    ((2, 5, 8, 11), (0, 1))
    """
    count = min(_LEVELS, depth)
    return tuple(-(-(level + 1) * depth // count) - 1 for level in range(count))


def _nearness(masks: dict, grid) -> jax.Array:
    """(B, Kc): one over the square root of the distance to the target, 0 for padding."""
    distance = jax.vmap(lambda m: views.distance_to_target(m, grid))(masks)
    return jnp.where(distance > 0, jax.lax.rsqrt(jnp.maximum(distance, 1e-6)), 0.0)
