"""data2vec: predict, at masked patches, the average of an EMA encoder's last blocks for the whole image."""

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.method import Aux, Method
from jssl.methods.registry import register
from jssl.models.transformer import Block


@register(
    "data2vec",
    paper="Baevski et al., data2vec: Self-supervised Learning in Speech, Vision and Language, arXiv:2202.03555",
    needs=("teacher", "ViT"),
    golden="data2vec",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    mask_ratio: float = 0.6,
    min_block: int = 16,
    max_block: int | None = None,
    top_blocks: int = 6,
    normalize_layers: str = "layer",
    beta: float = 2.0,
) -> Method:
    """Builds data2vec for images.

    Targets are the outputs of the blocks, as in the authors' code for images, which normalises each and, unlike the
    paper's formula, their average too; the speech model takes those of the feed-forward layers before the residual sum.

    Args:
      encoder: options of ``networks.make_vit``; its layers are unrolled (``scan=False``).
      image_size: side of the crop, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.mae``.
      mask_ratio: share of the patches that block masks hide from the student.
      min_block: fewest patches that one block hides; 16 is the authors' for a grid of 14.
      max_block: most patches that one block hides; None, as in the authors' runs, for no limit.
      top_blocks: K, how many of the teacher's last blocks are averaged.
      normalize_layers: of each block's output before the average, see ``objectives.data2vec_targets``: ``"layer"`` as
        in data2vec for images; ``"instance"``, which takes out what all patches share, as in data2vec 2.0
        (arXiv:2212.07525).
      beta: where the smooth L1 loss turns from the square to the absolute value.
    """
    augment = views.mae(image_size, **(augmentation or {}))
    network = networks.make_vit("data2vec", image_size=image_size, dtype=dtype, **{"mask_token": True, **encoder})
    vit = network.module
    if vit.scan or not 1 <= top_blocks <= vit.depth:
        raise ValueError(
            f"data2vec reads the last {top_blocks} of {vit.depth} blocks; use scan=False and at most as many"
        )
    grid = image_size // vit.patch_size
    num_masked = int(mask_ratio * grid**2)
    if min_block > num_masked:
        raise ValueError(
            f"min_block={min_block}, but {num_masked} of {grid**2} patches are masked; lower method.min_block"
        )
    extra_tokens = int(vit.class_token) + vit.registers
    regression = {"regression": networks.make_linear(vit.width, dtype=dtype)}

    def make_views(key, example):
        image_key, mask_key = jax.random.split(key)
        mask = views.block_mask(mask_key, grid, num_masked=num_masked, min_block=min_block, max_block=max_block)
        return {"image": augment(image_key, example["image"]), "mask": mask}

    def init(key, batch):
        encoder_key, head_key = jax.random.split(key)
        variables = vit.init(encoder_key, batch["image"])
        _, tokens = vit.apply(variables, batch["image"])
        return {"encoder": variables["params"], **networks.init(regression, head_key, tokens)[0]}, {}

    def block_outputs(params, images):
        """(pooled features, (K, B, N, D) outputs of the last K blocks)."""
        (pooled, _), captured = vit.apply(
            {"params": params}, images, capture_intermediates=lambda module, _: isinstance(module, Block)
        )
        blocks = captured["intermediates"]["encoder"]
        last = [blocks[f"block_{i}"]["__call__"][0][0] for i in range(vit.depth - top_blocks, vit.depth)]
        return pooled, jnp.stack(last)[:, :, extra_tokens:]

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del extra, step
        pooled, layers = block_outputs(teacher["encoder"], batch["image"])
        target = objectives.data2vec_targets(layers, normalize_layers=normalize_layers, normalize_targets="layer")
        _, tokens = vit.apply({"params": params["encoder"]}, batch["image"], masked=batch["mask"], keys=keys)
        prediction = networks.forward(regression, params, {}, tokens)[0]["regression"]
        value = objectives.data2vec_loss(prediction, target, batch["mask"], beta=beta, axis_name=axis_name)
        return value, Aux({}, {}, pooled)

    return Method(
        "data2vec",
        make_views,
        init,
        loss,
        update_extra=lambda extra, updates: extra,
        encode=networks.encode_with(network),
        teacher=lambda params: {"encoder": params["encoder"]},
        coupled="the mean is over the masked patches of the whole batch, whose number varies a little",
    )
