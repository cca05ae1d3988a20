"""MC-JEPA: one encoder learns how things move, as optical flow without labels, and what they are, by VICReg."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.heads import mlp
from jssl.methods.method import Aux, Method, Readout, Show
from jssl.methods.networks import Networks
from jssl.methods.options import Given, VideoInput
from jssl.methods.registry import register
from jssl.models import Features, FlowDecoder
from jssl.models.features import mean_tokens
from jssl.models.flow_decoder import resize_flow


@dataclasses.dataclass(frozen=True)
class FlowEstimator:
    """Size of the flow decoder, see ``models.FlowDecoder``.

    Attributes:
      width: channels.
      depth: convolutions of a level.
      reach: places either way that are compared.
    """

    width: int = 64
    depth: int = 2
    reach: int = 4


@dataclasses.dataclass(frozen=True)
class FlowLoss:
    """Weights of what is asked of a flow, see ``jssl.objectives``.

    Attributes:
      photometric: of the first frame's difference from the second, moved along the flow.
      smoothness: of the changes of the flow from pixel to pixel.
      consistency: of the distance between a pixel and where the way there and back ends.
      ssim_weight: share of the structural part in the photometric loss.
      edge: how much edges of the frame excuse changes of the flow.
    """

    photometric: float = 1.0
    smoothness: float = 75.0
    consistency: float = 0.2
    ssim_weight: float = 0.85
    edge: float = 150.0


@register(
    "mc_jepa",
    paper="Bardes et al., MC-JEPA: Self-Supervised Learning of Motion and Content Features, arXiv:2307.12698",
    asks=("video",),
    reads=("video",),
    golden="vicreg",
)
def build(
    given: Given,
    *,
    video: VideoInput = VideoInput(),
    encoder: object = {"name": "resnet50"},
    flow: FlowEstimator = FlowEstimator(),
    motion: FlowLoss = FlowLoss(),
    projector: tuple[int, ...] = (8192, 8192, 8192),
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Method:
    """Builds MC-JEPA.

    Two neighbouring frames of a clip, cropped alike, give the flow both ways; two augmentations of one frame, drawn anew, give
    VICReg. The losses are added.

    Args:
      given: the data and the compute dtype.
      video: how clips enter; ``frames`` and ``stride`` are those of the readout, flow is between neighbours of the source.
        ``augment`` changes ``views.mae``, of the two frames, and both of ``views.byol``, of the still.
      encoder: see ``encoders.make_pyramid``; of pictures, with stages.
      flow: size of the flow decoder.
      motion: weights of the flow's losses; all zero leave VICReg alone.
      projector: widths of the expander, with batch norm on the hidden layers.
      invariance: weight of the distance between the views.
      variance: weight of the hinge on each dimension's deviation.
      covariance: weight of the squared covariances.

    The paper has no public code. Its encoder is a ConvNeXt-T that is changed to give six levels, its stills are of ImageNet and
    its frames of other data and larger. It asks for the flow of every level, adds squares to the photometric loss, compares the
    features of the frames, too, there and back, and keeps the variance of each level; here the flow is asked for at the
    frame's own resolution, consistency is that of flows, and the variance of the still's embedding is all there is.
    """
    nets = Networks(
        encoder=encoders.make_pyramid("mc_jepa", encoder, image_size=video.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype),
        flow=FlowDecoder(objectives.warp, flow.width, flow.depth, flow.reach, dtype=given.dtype),
    )
    frames = dataclasses.replace(video, frames=2, stride=1).view(given, views.mae)
    stills = [video.view(given, views.byol, which).augmentation for which in (0, 1)]
    statistics = video.statistics(given)
    mean, std = (np.asarray(statistics[name], np.float32) for name in ("mean", "std"))

    def make_views(key, example):
        frames_key, still_key, *keys = jax.random.split(key, 4)
        still = views.random_frames(still_key, example["video"], frames=1)[0]
        made = [augment(k, still, example.get("size")) for augment, k in zip(stills, keys)]
        return {"video": frames(frames_key, example), "views": jnp.stack(made)}

    def flows(net, pyramids, size):
        """Both ways (2, B, *size, 2), from the maps (2, B, h, w, C) of two frames, pixels to the right and down."""
        both = pyramids, jax.tree.map(lambda x: x[::-1], pyramids)
        return net.together(lambda net, maps: resize_flow(net("flow", *maps), size), both)

    def run(net, batch):
        """(pooled of the views (2, B, D), their embeddings, flow both ways)."""
        seen = jnp.concatenate([jnp.swapaxes(batch[name], 0, 1) for name in ("views", "video")])  # (4, B, S, S, C)

        def encode(net, images):
            features = net("encoder", images, pyramid=True)
            return features.pooled, features.pyramid

        pooled, pyramid = net.each(encode, seen)
        embeddings = net.each(lambda net, x: net("projector", x), pooled[:2])
        return pooled[:2], embeddings, flows(net, jax.tree.map(lambda x: x[2:], pyramid), seen.shape[2:4])

    def init(key, batch):
        return nets.init(key, lambda net: run(net, batch))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        pooled, embeddings, (there, back) = run(net, batch)
        weights = {"invariance": invariance, "variance": variance, "covariance": covariance}
        content = objectives.vicreg_loss(*embeddings, axis_name=axis_name, **weights)
        frames = batch["video"] * std.reshape(1, 1, 1, 1, -1) + mean.reshape(1, 1, 1, 1, -1)  # in [0, 1]
        # Both ways at once: each loss is a mean over examples.
        first, second = frames[:, 0], frames[:, 1]
        first, second = jnp.concatenate([first, second]), jnp.concatenate([second, first])
        forward, backward = jnp.concatenate([there, back]), jnp.concatenate([back, there])
        parts = {
            "photometric": objectives.photometric_loss(
                first, second, forward, ssim_weight=motion.ssim_weight, axis_name=axis_name
            ),
            "smoothness": objectives.flow_smoothness_loss(forward, first, edge=motion.edge, axis_name=axis_name),
            "consistency": objectives.flow_consistency_loss(forward, backward, axis_name=axis_name),
        }
        value = content + sum(getattr(motion, name) * part for name, part in parts.items())
        return value, Aux(networks.updates(net), {"vicreg": content, **parts}, pooled[0])

    def read(params, extra, clips, *, last=0):
        """The mean over the frames of what the encoder makes of each."""
        of_frame = functools.partial(encoders.read(nets), params, extra, last=last)
        pooled, tokens = jax.vmap(lambda frame: of_frame(frame)[:2], 1, 1)(clips)
        return Features(mean_tokens(pooled), tokens.reshape(len(clips), -1, tokens.shape[-1]))

    def pair(example):
        """The two frames in the middle, whole and as large as they come."""
        return views.normalize(views.to_float(views.central_frames(example["video"], frames=2)), **statistics)

    def read_flow(params, extra, pairs):
        """``tokens`` (B, H * W, 2) are the flow from the first to the second; ``pooled`` is the encoder's of the first."""
        net = nets.frozen(params, extra)
        found = [net("encoder", pairs[:, i], pyramid=True) for i in (0, 1)]
        flow = resize_flow(net("flow", *(features.pyramid for features in found)), pairs.shape[2:4])
        return Features(found[0].pooled, flow.reshape(len(pairs), -1, 2))

    def show(params, teacher, extra, batch):
        del teacher
        first, second = batch["video"][:, 0], batch["video"][:, 1]
        flow = read_flow(params, extra, batch["video"]).tokens.reshape(*first.shape[:3], 2)
        return first, second, objectives.warp(second, flow)[0], views.normalize(views.flow_to_rgb(flow), **statistics)

    caption = "two frames, the second moved along the flow that is predicted, and that flow: colours are directions"
    return Method(
        "mc_jepa",
        frozenset({"video"}),
        make_views,
        init,
        loss,
        {"video": Readout(video.prepare(given), read), "flow": Readout(pair, read_flow)},
        coupled="variances and covariances are taken over the whole batch",
        fewest=2,
        shows={"Flow": Show(caption, show)},
    )
