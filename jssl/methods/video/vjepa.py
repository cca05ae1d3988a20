"""V-JEPA and V-JEPA 2: predict an EMA encoder's features of what blocks cut through a clip, from what they leave."""

import jax.numpy as jnp

from jssl import objectives
from jssl.methods import encoders, networks
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks
from jssl.methods.options import Given, VideoInput
from jssl.methods.registry import register
from jssl.methods.video.clip_masks import VIT, ClipMasks, ClipPredictor, make_views, standardized, tubelets
from jssl.models import IJEPAPredictor
from jssl.models.positions import take_tokens


@register(
    "vjepa",
    paper="Bardes et al., Revisiting Feature Prediction for Learning Visual Representations from Video, arXiv:2404.08471",
    carries=("teacher", "predictor"),
    asks=("video", "patches"),
    reads=("video",),
    golden="vjepa",
)
def build(
    given: Given,
    *,
    video: VideoInput = VideoInput(),
    encoder: object = VIT,
    predictor: ClipPredictor = ClipPredictor(width=384, depth=12, heads=12),
    masks: ClipMasks = ClipMasks(),
    exponent: float = 1.0,
) -> Method:
    """Builds V-JEPA; with rotary positions in encoder and predictor, V-JEPA 2 (Assran et al., arXiv:2506.09985).

    Args:
      given: the data and the compute dtype.
      video: how clips enter; ``augment`` changes ``views.mae``.
      encoder: see ``encoders.make``; with tubelets, in the papers without class token and with mean pooling.
      predictor: its size and positions.
      masks: what is context and what is predicted, for each kind of mask.
      exponent: of the distance between features; 1 is L1.

    The authors' code turns neighbouring channels by the angles of others (its rotary positions repeat the frequencies in another
    order than it pairs channels); here each pair has its own. It starts mask tokens at zero, here they are drawn.
    """
    vit, grid = tubelets("vjepa", given, video, encoder)
    nets = Networks(
        encoder=vit,
        predictor=IJEPAPredictor(
            width=predictor.width,
            depth=predictor.depth,
            heads=predictor.heads,
            positions=predictor.positions,
            grid=grid,
            out_dim=vit.width,
            mask_tokens=masks.kinds,
            dtype=given.dtype,
        ),
    )

    def predict(net, batch, found):
        """The features of the targets of each kind of mask, (B, Kt, D), from its context."""
        predictions = []
        for kind, m in enumerate(found):
            seen = net("encoder", batch["video"], indices=m["context"], token_mask=m["context_mask"]).tokens
            inputs = seen, m["context"], m["context_mask"], m["target"][:, None], m["target_mask"][:, None]
            predictions.append(net("predictor", *inputs, kind=kind)[:, 0])
        return predictions

    def init(key, batch):
        return nets.init(key, lambda net: predict(net, batch, masks.of(batch, None)), tracked=["encoder"])

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del step
        found = masks.of(batch, axis_name)
        ema = nets.teacher(teacher, extra, axis_name=axis_name)
        whole = ema("encoder", batch["video"])
        tokens = standardized(whole.tokens)
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        value = objectives.vjepa_loss(
            predict(net, batch, found),
            [take_tokens(tokens, m["target"]) for m in found],
            weights=[m["target_mask"].astype(jnp.float32) for m in found],
            exponent=exponent,
            axis_name=axis_name,
        )
        return value, Aux(networks.updates(net, ema), {}, whole.pooled)

    return Method(
        "vjepa",
        frozenset({"video"}),
        make_views(given, video, masks, grid),
        init,
        loss,
        encoders.readouts(nets, video.prepare(given), field="video"),
        teacher=lambda params: {"encoder": params["encoder"]},
        coupled=masks.coupled,
        reads_teacher=True,
    )
