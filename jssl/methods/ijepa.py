"""I-JEPA: predict an EMA encoder's features of four blocks of an image from one context block."""

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.method import Aux, Method
from jssl.methods.registry import register
from jssl.models import ijepa as predictors


@register(
    "ijepa",
    paper="Assran et al., Self-Supervised Learning from Images with a Joint-Embedding Predictive Architecture, arXiv:2301.08243",
    needs=("teacher", "predictor", "ViT"),
    golden="ijepa",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    sampler: str = "fixed",
    num_targets: int = 4,
    target_scale: tuple[float, float] = (0.15, 0.2),
    target_aspect: tuple[float, float] = (0.75, 1.5),
    context_scale: tuple[float, float] = (0.85, 1.0),
    context_size: int | None = None,
    min_keep: int = 10,
    predictor_width: int = 384,
    predictor_depth: int = 6,
    predictor_heads: int = 12,
) -> Method:
    """Builds I-JEPA.

    Args:
      encoder: options of ``networks.make_vit``; without class token and mean pooling in the paper.
      image_size: side of the crop, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.mae`` (the paper crops and flips nothing else).
      sampler: ``"fixed"`` or ``"official"``, see ``views.multi_block``.
      num_targets: target blocks per image.
      target_scale: area range of a target block, share of the image.
      target_aspect: aspect range of a target block.
      context_scale: area range of the context block.
      context_size: most context patches used (static shape); None takes 60 % of the grid.
      min_keep: fewest context patches.
      predictor_width: of the predictor.
      predictor_depth: of the predictor.
      predictor_heads: of the predictor.
    """
    augment = views.mae(image_size, **(augmentation or {}))
    network = networks.make_vit("ijepa", image_size=image_size, dtype=dtype, **encoder)
    vit = network.module
    grid = image_size // vit.patch_size
    predictor = predictors.IJEPAPredictor(
        width=predictor_width, depth=predictor_depth, heads=predictor_heads, grid=grid, out_dim=vit.width, dtype=dtype
    )

    def make_views(key, example):
        image_key, mask_key = jax.random.split(key)
        masks = views.multi_block(
            mask_key,
            example["batch_key"],
            grid,
            sampler=sampler,
            num_targets=num_targets,
            target_scale=tuple(target_scale),
            target_aspect=tuple(target_aspect),
            context_scale=tuple(context_scale),
            context_size=context_size or int(0.6 * grid**2),
            min_keep=min_keep,
        )
        return {"image": augment(image_key, example["image"]), **masks}

    def init(key, batch):
        encoder_key, predictor_key = jax.random.split(key)
        variables = vit.init(encoder_key, batch["image"])
        _, tokens = vit.apply(variables, batch["image"], indices=batch["context"], token_mask=batch["context_mask"])
        predictor_variables = predictor.init(
            predictor_key, tokens, batch["context"], batch["context_mask"], batch["target"], batch["target_mask"]
        )
        return {"encoder": variables["params"], "predictor": predictor_variables["params"]}, {}

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del extra, step
        if sampler == "official":
            batch = views.truncate_context(batch, axis_name)
        pooled, whole = vit.apply({"params": teacher["encoder"]}, batch["image"])
        # Targets: normalised features of the whole image, read at each block's patches.
        whole = whole.astype(jnp.float32)
        whole = (whole - whole.mean(-1, keepdims=True)) * jax.lax.rsqrt(whole.var(-1, keepdims=True) + 1e-5)
        target = jax.vmap(lambda tokens, indices: tokens[indices])(whole, batch["target"])
        _, context = vit.apply(
            {"params": params["encoder"]},
            batch["image"],
            indices=batch["context"],
            token_mask=batch["context_mask"],
            keys=keys,
        )
        prediction = predictor.apply(
            {"params": params["predictor"]},
            context,
            batch["context"],
            batch["context_mask"],
            batch["target"],
            batch["target_mask"],
        )
        weights = batch["target_mask"].astype(jnp.float32)
        value = objectives.jepa_loss(prediction, target, weights=weights, axis_name=axis_name)
        return value, Aux({}, {}, pooled)

    return Method(
        "ijepa",
        make_views,
        init,
        loss,
        update_extra=lambda extra, updates: extra,
        encode=networks.encode_with(network),
        teacher=lambda params: {"encoder": params["encoder"]},
        coupled="the official sampler cuts every context to the batch's shortest" if sampler == "official" else "",
    )
