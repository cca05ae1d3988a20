"""I-JEPA: predict an EMA encoder's features of four blocks of a picture from a context block."""

import dataclasses

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.method import Aux, Method, Show
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput, Transformer
from jssl.methods.registry import register
from jssl.models import IJEPAPredictor

_VIT = {"name": "vit_huge", "patch_size": 14, "positions": "sincos", "class_token": False, "pool": "mean"}


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Context and targets of one picture, see ``views.multi_block``.

    Attributes:
      sampler: ``"fixed"`` or ``"official"``.
      num_contexts: context blocks per picture, each of which predicts all targets by itself; in the paper 1.
      num_targets: target blocks per picture.
      target_scale: area range of a target block, share of the picture.
      target_aspect: aspect range of a target block.
      context_scale: area range of a context block.
      context_size: most context patches used (static shape); None takes 60 % of the grid.
      min_keep: fewest context patches.
    """

    sampler: str = "fixed"
    num_contexts: int = 1
    num_targets: int = 4
    target_scale: tuple[float, float] = (0.15, 0.2)
    target_aspect: tuple[float, float] = (0.75, 1.5)
    context_scale: tuple[float, float] = (0.85, 1.0)
    context_size: int | None = None
    min_keep: int = 10


@register(
    "ijepa",
    paper="Assran et al., Self-Supervised Learning from Images with a Joint-Embedding Predictive Architecture, arXiv:2301.08243",
    carries=("teacher", "predictor"),
    asks=("patches",),
    golden="ijepa",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _VIT,
    predictor: Transformer = Transformer(width=384, depth=6, heads=12),
    blocks: Blocks = Blocks(),
) -> Method:
    """Builds I-JEPA.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.mae`` (the paper crops and flips nothing else).
      encoder: see ``encoders.make``; with patches, in the paper without class token and with mean pooling.
      predictor: its size.
      blocks: what is context and what is predicted.
    """
    vit = encoders.make_patches("ijepa", encoder, image_size=image.size, dtype=given.dtype)
    grid = image.size // vit.patch_size
    nets = Networks(
        encoder=vit,
        predictor=IJEPAPredictor(
            width=predictor.width,
            depth=predictor.depth,
            heads=predictor.heads,
            grid=grid,
            out_dim=vit.width,
            dtype=given.dtype,
        ),
    )
    view = image.view(given, views.mae)
    draw = {**dataclasses.asdict(blocks), "context_size": blocks.context_size or int(0.6 * grid**2)}

    def make_views(key, example):
        image_key, mask_key = jax.random.split(key)
        masks = views.multi_block(mask_key, example["batch_key"], grid, **draw)
        return {"image": view(image_key, example), **masks}

    def targets(ema, batch):
        """Normalised features of the whole picture, read at each block's patches; and the pooled ones."""
        whole = ema("encoder", batch["image"])
        tokens = whole.tokens.astype(jnp.float32)
        tokens = (tokens - tokens.mean(-1, keepdims=True)) * jax.lax.rsqrt(tokens.var(-1, keepdims=True) + 1e-5)
        return jax.vmap(lambda tokens, indices: tokens[indices])(tokens, batch["target"]), whole.pooled

    def predict(net, batch):
        """(B, C, M, Kt, D): the features of each block's patches, from each context."""

        def alone(run, seen):
            encoded = run("encoder", batch["image"], indices=seen["context"], token_mask=seen["context_mask"]).tokens
            return run("predictor", encoded, *seen.values(), batch["target"], batch["target_mask"])

        contexts = {name: jnp.swapaxes(batch[name], 0, 1) for name in ("context", "context_mask")}
        return jnp.swapaxes(net.each(alone, contexts), 0, 1)

    def init(key, batch):
        return nets.init(key, lambda net: predict(net, batch), tracked=["encoder"])

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del step
        if blocks.sampler == "official":
            batch = views.truncate_context(batch, axis_name)
        ema = nets.teacher(teacher, extra, axis_name=axis_name)
        target, pooled = targets(ema, batch)
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        predicted = predict(net, batch)
        target = jnp.broadcast_to(target[:, None], predicted.shape)
        weights = jnp.broadcast_to(batch["target_mask"][:, None], predicted.shape[:-1]).astype(jnp.float32)
        value = objectives.jepa_loss(predicted, target, weights=weights, axis_name=axis_name)
        return value, Aux(networks.updates(net, ema), {}, pooled)

    def show(params, teacher, extra, batch):
        target, _ = targets(nets.teacher(teacher, extra), batch)
        predicted = predict(nets.frozen(params, extra), batch).astype(jnp.float32).mean(1)  # over contexts
        cosine = jnp.sum(predicted * target, -1) / (
            jnp.linalg.norm(predicted, axis=-1) * jnp.linalg.norm(target, axis=-1) + 1e-12
        )
        return (
            batch["image"],
            _on_grid(batch["context"], batch["context_mask"], 1.0, grid),
            _on_grid(batch["target"], batch["target_mask"], cosine, grid),
        )

    caption = (
        "the picture, its context, and the cosine of predicted and true features at the targets; brighter is closer"
    )
    return Method(
        "ijepa",
        frozenset({"image"}),
        make_views,
        init,
        loss,
        encoders.readouts(nets, image.prepare(given)),
        shows={"Prediction": Show(caption, show)},
        teacher=lambda params: {"encoder": params["encoder"]},
        coupled="the official sampler cuts every context to the batch's shortest"
        if blocks.sampler == "official"
        else "",
        reads_teacher=True,
        reads=encoders.last_blocks(vit),
    )


def _on_grid(indices: jax.Array, mask: jax.Array, values: jax.Array | float, grid: int) -> jax.Array:
    """(B, grid, grid): the mean of what is said of each patch, 0 where nothing is. ``indices`` are (B, ..., K)."""
    weight = mask.astype(jnp.float32).reshape(len(indices), -1)
    values = jnp.broadcast_to(values, indices.shape).reshape(weight.shape)

    def one(indices, weight, values):
        empty = jnp.zeros(grid**2)
        return empty.at[indices].add(weight * values) / jnp.maximum(empty.at[indices].add(weight), 1.0)

    return jax.vmap(one)(indices.reshape(weight.shape), weight, values).reshape(-1, grid, grid)
