"""Action-conditioned JEPA: predict the features of the frames that actions lead to, step by step and rolled out."""

import dataclasses

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.heads import mlp
from jssl.methods.method import Aux, Method, Readout
from jssl.methods.networks import Networks
from jssl.methods.options import Given, Transformer, VideoInput
from jssl.methods.registry import register
from jssl.methods.video.clip_masks import standardized
from jssl.models import ActionPredictor, Features
from jssl.models.action_predictor import rollout as roll_out
from jssl.models.features import mean_tokens


@dataclasses.dataclass(frozen=True)
class StepPredictor(Transformer):
    """Size of a predictor, and what it sees.

    Attributes:
      memory: see ``models.ActionPredictor``.
    """

    memory: bool = True


@dataclasses.dataclass(frozen=True)
class Guard:
    """Weights of what keeps an encoder that learns from collapsing.

    Attributes:
      variance: of the hinge on the deviation of each feature, see ``objectives.vicreg_loss``.
      covariance: of the squared covariances of features.
      smoothness: of the squared distance between the features of neighbouring frames.
      inverse: of half the squared error of the actions that a head tells from the features before and after them.
    """

    variance: float = 25.0
    covariance: float = 1.0
    smoothness: float = 1.0
    inverse: float = 1.0


@register(
    "ac_jepa",
    paper="Assran et al., V-JEPA 2: Self-Supervised Video Models Enable Understanding, Prediction and Planning, arXiv:2506.09985",
    carries=("predictor",),
    asks=("actions", "video"),
    reads=("video",),
    golden="vjepa",
)
def build(
    given: Given,
    *,
    video: VideoInput = VideoInput(),
    encoder: object = {"name": "vit_base", "positions": "sincos", "class_token": False, "pool": "mean"},
    features: str = "tokens",
    projector: tuple[int, ...] = (),
    predictor: StepPredictor = StepPredictor(width=384, depth=12, heads=12),
    rollout: int = 2,
    frozen: bool = False,
    guard: Guard = Guard(),
    inverse: tuple[int, ...] = (256,),
    exponent: float = 1.0,
) -> Method:
    """Builds an action-conditioned JEPA: with a frozen encoder of another run V-JEPA 2-AC, with one that learns along PLDM's kin.

    The features of each frame, layer-normalised, and what is done there give those of the next frame. The loss is the distance
    of what is predicted from the true frames, plus that of the first ``rollout`` frames predicted from the first one alone, each
    from the predictions before.

    Args:
      given: the data and the compute dtype.
      video: how clips enter, at a stride of 1; ``augment`` changes ``views.mae``, here without crops and flips: what moves the
        world must not be lost, and actions would have to turn with it.
      encoder: see ``encoders.make``; of pictures, frame by frame.
      features: what is predicted of a frame: its ``"tokens"``, or the ``"pooled"`` one alone.
      projector: widths of a head between the encoder and what is predicted, batch norm on the hidden layers; none in the papers.
      predictor: its size, and what it sees.
      rollout: steps that are rolled out from the first frame.
      frozen: the encoder is another run's (``--init-from``) and gets no gradient, nor does a projector; keep weight decay from it,
        too: ``optimizer.freeze="^encoder/"``, ``freeze_for="100 %"``. It needs no guard.
      guard: what keeps an encoder that learns from collapsing.
      inverse: widths of the hidden layers of the head that tells actions.
      exponent: of the distance between features; 1 is L1.

    V-JEPA 2-AC freezes V-JEPA 2's encoder, made for clips, and shows it each frame twice; its robot has a state beside the
    actions. PLDM (Sobal et al., Learning from Reward-Free Offline Data, arXiv:2502.14819) trains the encoder along, and keeps it
    from collapsing by VICReg's variance and covariance, smoothness in time and an inverse-dynamics loss, as here; it compares
    squares, rolls everything out, and lets gradients into the targets, which here get none.
    """
    if features not in ("tokens", "pooled"):
        raise ValueError(f"method.features={features!r}; use tokens or pooled")
    if video.stride != 1:
        raise ValueError(f"method.video.stride={video.stride}; actions are from each frame to the next: use 1")
    if not 1 <= rollout < video.frames:
        raise ValueError(
            f"method.rollout={rollout} of clips of method.video.frames={video.frames}; use 1 to {video.frames - 1}"
        )
    action_dim = given.spec["actions"].shape[-1]
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=video.size, dtype=given.dtype),
        **({"projector": mlp(projector, given.dtype)} if projector else {}),
        predictor=ActionPredictor(**dataclasses.asdict(predictor), dtype=given.dtype),
        inverse=mlp((*inverse, action_dim), given.dtype, batch_norm=False),
    )
    view = video.view(given, views.mae, crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip_prob=0.0)
    prepare = video.prepare(given)

    def make_views(key, example):
        return {"video": view(key, example), "actions": view.between(key, example["actions"])}

    def encode(net, clips):
        """(B, T, S, S, C) -> the features of each frame (B, T, N, D) float32."""

        def of_frames(net, images):
            found = net("encoder", images)
            tokens = found.tokens if features == "tokens" else found.pooled[:, None]
            if not projector:
                return tokens
            return net("projector", tokens.reshape(-1, tokens.shape[-1])).reshape(*tokens.shape[:2], -1)

        return standardized(jnp.swapaxes(net.together(of_frames, jnp.swapaxes(clips, 0, 1)), 0, 1))

    def predictions(net):
        return lambda frames, actions: standardized(net("predictor", frames, actions))

    def told(net, frames):
        """The actions (B, T - 1, A) float32 that the change of the features tells."""
        seen = mean_tokens(frames.reshape(-1, *frames.shape[2:])).reshape(*frames.shape[:2], -1)
        pairs = jnp.concatenate([seen[:, :-1], seen[:, 1:]], -1)
        return net("inverse", pairs).astype(jnp.float32)

    def init(key, batch):
        def run(net):
            frames = encode(net, batch["video"])
            predictions(net)(frames[:, :-1], batch["actions"])
            told(net, frames)

        return nets.init(key, run)

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        actions = batch["actions"].astype(jnp.float32)
        frames = encode(nets.frozen(params, extra) if frozen else net, batch["video"])
        frames = jax.lax.stop_gradient(frames) if frozen else frames
        predict = predictions(net)

        def distance(predicted, true):
            flat = [x.reshape(len(x), -1, x.shape[-1]) for x in (predicted, true)]
            return objectives.vjepa_loss(flat[:1], flat[1:], exponent=exponent, axis_name=axis_name)

        parts = {
            "teacher_forced": distance(predict(frames[:, :-1], actions), frames[:, 1:]),
            "rolled_out": distance(
                roll_out(predict, frames[:, 0], actions[:, :rollout], memory=predictor.memory),
                frames[:, 1 : rollout + 1],
            ),
        }
        if not frozen:
            before, after = (x.reshape(-1, x.shape[-1]) for x in (frames[:, :-1], frames[:, 1:]))
            parts["spread"] = objectives.vicreg_loss(
                before,
                after,
                invariance=guard.smoothness,
                variance=guard.variance,
                covariance=guard.covariance,
                axis_name=axis_name,
            )
            parts["inverse"] = guard.inverse * objectives.vjepa_loss(
                [told(net, frames)], [actions], exponent=2.0, axis_name=axis_name
            )
        return sum(parts.values()), Aux(networks.updates(net), parts, mean_tokens(frames[:, 0]))

    def read(params, extra, clips, *, last=0):
        """``tokens`` (B, T * N, D) are the features of the frames, one after another, ``pooled`` is their mean."""
        del last  # what is predicted are the features behind all blocks
        frames = encode(nets.frozen(params, extra), clips)
        tokens = frames.reshape(len(clips), -1, frames.shape[-1])
        return Features(mean_tokens(tokens), tokens)

    def before(example):
        """The first frame, and what is done from there on."""
        return {"video": prepare(example)[:1], "actions": prepare.view.between(None, example["actions"])}

    def foresee(params, extra, inputs):
        """``tokens`` (B, H * N, D) are the features that each of H ``actions`` (B, H, A) leads to from the first frame of
        ``video`` (B, 1, S, S, C), ``pooled`` is the mean of the last."""
        net = nets.frozen(params, extra)
        start = encode(net, inputs["video"][:, :1])[:, 0]
        frames = roll_out(predictions(net), start, inputs["actions"].astype(jnp.float32), memory=predictor.memory)
        return Features(mean_tokens(frames[:, -1]), frames.reshape(len(start), -1, start.shape[-1]))

    return Method(
        "ac_jepa",
        frozenset({"video", "actions"}),
        make_views,
        init,
        loss,
        {"video": Readout(prepare, read), "future": Readout(before, foresee)},
        coupled="" if frozen else "variances and covariances are taken over the whole batch",
        fewest=1 if frozen else 2,
    )
