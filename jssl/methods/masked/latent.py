"""What I-JEPA's methods share: from a part of an example, name an EMA encoder's features of other parts of it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jssl import objectives
from jssl.methods import encoders, networks
from jssl.methods.encoders import PatchEncoder
from jssl.methods.method import Aux, Method, Show
from jssl.methods.networks import Networks
from jssl.methods.options import Transformer
from jssl.models import IJEPAPredictor


def latent_prediction(
    name: str,
    *,
    fields: frozenset[str],
    field: str,
    views: Callable,
    masks: Callable,
    encoder: PatchEncoder,
    predictor: Transformer,
    grid: tuple[int, int],
    readouts: Callable,
    picture: Callable,
    caption: str,
    coupled: str,
    dtype: Any,
) -> Method:
    """The record of a method that predicts features of blocks of patches from contexts.

    Args:
      name: of the method.
      fields: what an example must hold.
      field: name of the view that is cut into patches.
      views: (key, example) -> that view and whatever ``masks`` reads.
      masks: (views, step, axis_name) -> what ``views.multi_block`` returns, of the batch.
      encoder: reads the patches that ``indices`` names.
      predictor: its size.
      grid: rows and columns of patches.
      readouts: networks -> name -> Readout.
      picture: the view, or a map of its patches (B, rows, columns) -> what people look at, see ``Show``.
      caption: of the pictures: the view, its context, and the cosines.
      coupled: see ``Method``.
      dtype: of the computation.
    """
    nets = Networks(
        encoder=encoder,
        predictor=IJEPAPredictor(
            width=predictor.width,
            depth=predictor.depth,
            heads=predictor.heads,
            grid=grid,
            out_dim=encoder.width,
            dtype=dtype,
        ),
    )

    def targets(ema, batch, found):
        """Normalised features of the whole view, read at each block's patches; and the pooled ones."""
        whole = ema("encoder", batch[field])
        tokens = whole.tokens.astype(jnp.float32)
        tokens = (tokens - tokens.mean(-1, keepdims=True)) * jax.lax.rsqrt(tokens.var(-1, keepdims=True) + 1e-5)
        return jax.vmap(lambda tokens, indices: tokens[indices])(tokens, found["target"]), whole.pooled

    def predict(net, batch, found):
        """(B, C, M, Kt, D): the features of each block's patches, from each context."""

        def alone(run, seen):
            encoded = run("encoder", batch[field], indices=seen["context"], token_mask=seen["context_mask"]).tokens
            return run("predictor", encoded, *seen.values(), found["target"], found["target_mask"])

        contexts = {name: jnp.swapaxes(found[name], 0, 1) for name in ("context", "context_mask")}
        return jnp.swapaxes(net.each(alone, contexts), 0, 1)

    def init(key, batch):
        return nets.init(key, lambda net: predict(net, batch, masks(batch, 0, None)), tracked=["encoder"])

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        found = masks(batch, step, axis_name)
        ema = nets.teacher(teacher, extra, axis_name=axis_name)
        target, pooled = targets(ema, batch, found)
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        predicted = predict(net, batch, found)
        target = jnp.broadcast_to(target[:, None], predicted.shape)
        weights = jnp.broadcast_to(found["target_mask"][:, None], predicted.shape[:-1]).astype(jnp.float32)
        value = objectives.jepa_loss(predicted, target, weights=weights, axis_name=axis_name)
        return value, Aux(networks.updates(net, ema), {}, pooled)

    def show(params, teacher, extra, batch):
        found = masks(batch, 0, None)
        target, _ = targets(nets.teacher(teacher, extra), batch, found)
        predicted = predict(nets.frozen(params, extra), batch, found).astype(jnp.float32).mean(1)  # over contexts
        cosine = jnp.sum(predicted * target, -1) / (
            jnp.linalg.norm(predicted, axis=-1) * jnp.linalg.norm(target, axis=-1) + 1e-12
        )
        shown = (
            batch[field],
            _on_grid(found["context"], found["context_mask"], 1.0, grid),
            _on_grid(found["target"], found["target_mask"], cosine, grid),
        )
        return tuple(picture(part) for part in shown)

    return Method(
        name,
        fields,
        views,
        init,
        loss,
        readouts(nets),
        shows={"Prediction": Show(caption, show)},
        teacher=lambda params: {"encoder": params["encoder"]},
        coupled=coupled,
        reads_teacher=True,
        reads=encoders.last_blocks(encoder),
    )


def _on_grid(indices: jax.Array, mask: jax.Array, values: jax.Array | float, grid: tuple[int, int]) -> jax.Array:
    """(B, *grid): the mean of what is said of each patch, 0 where nothing is. ``indices`` are (B, ..., K)."""
    weight = mask.astype(jnp.float32).reshape(len(indices), -1)
    values = jnp.broadcast_to(values, indices.shape).reshape(weight.shape)

    def one(indices, weight, values):
        empty = jnp.zeros(grid[0] * grid[1])
        return empty.at[indices].add(weight * values) / jnp.maximum(empty.at[indices].add(weight), 1.0)

    return jax.vmap(one)(indices.reshape(weight.shape), weight, values).reshape(-1, *grid)
