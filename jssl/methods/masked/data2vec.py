"""data2vec: predict, at masked patches, the average of an EMA encoder's last blocks for the whole picture."""

import dataclasses

import jax

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.heads import linear
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput
from jssl.methods.registry import register

_VIT = {"name": "vit_base"}


@dataclasses.dataclass(frozen=True)
class BlockMask:
    """Blocks of patches that the student does not see.

    Attributes:
      ratio: share of the patches hidden.
      min_block: fewest patches that one block hides; 16 is the authors' for a grid of 14.
      max_block: most patches that one block hides; None, as in the authors' runs, for no limit.
    """

    ratio: float = 0.6
    min_block: int = 16
    max_block: int | None = None


@register(
    "data2vec",
    paper="Baevski et al., data2vec: Self-supervised Learning in Speech, Vision and Language, arXiv:2202.03555",
    carries=("teacher",),
    asks=("patches",),
    golden="data2vec",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _VIT,
    mask: BlockMask = BlockMask(),
    top_blocks: int = 6,
    normalize_layers: str = "layer",
    beta: float = 2.0,
) -> Method:
    """Builds data2vec for pictures.

    Targets are the outputs of the blocks, as in the authors' code for pictures, which normalises each and, unlike the
    paper's formula, their average too; the speech model takes those of the feed-forward layers before the residual sum.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.mae``.
      encoder: see ``encoders.make``; with patches.
      mask: what is hidden from the student.
      top_blocks: K, how many of the teacher's last blocks are averaged.
      normalize_layers: of each block's output before the average, see ``objectives.data2vec_targets``: ``"layer"`` as
        in data2vec for pictures; ``"instance"``, which takes out what all patches share, as in data2vec 2.0
        (arXiv:2212.07525).
      beta: where the smooth L1 loss turns from the square to the absolute value.
    """
    told = {"image_size": image.size, "dtype": given.dtype}
    vit = encoders.make_patches("data2vec", encoder, mask_token=True, **told)
    if not 1 <= top_blocks <= vit.depth:
        raise ValueError(f"data2vec reads the last {top_blocks} of {vit.depth} blocks; lower method.top_blocks")
    grid = image.size // vit.patch_size
    num_masked = int(mask.ratio * grid**2)
    if mask.min_block > num_masked:
        raise ValueError(
            f"mask.min_block={mask.min_block}, but {num_masked} of {grid**2} patches are masked; lower method.mask.min_block"
        )
    nets = Networks(encoder=vit, regression=linear(vit.width, given.dtype))
    view = image.view(given, views.mae)

    def make_views(key, example):
        image_key, mask_key = jax.random.split(key)
        hidden = views.block_mask(
            mask_key, grid, num_masked=num_masked, min_block=mask.min_block, max_block=mask.max_block
        )
        return {"image": view(image_key, example), "mask": hidden}

    def predict(net, batch):
        return net("regression", net("encoder", batch["image"], masked=batch["mask"]).tokens)

    def init(key, batch):
        return nets.init(key, lambda net: predict(net, batch), tracked=["encoder"])

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del step
        ema = nets.teacher(teacher, extra, axis_name=axis_name)
        whole = ema("encoder", batch["image"], last=top_blocks)
        target = objectives.data2vec_targets(whole.layers, normalize_layers=normalize_layers, normalize_targets="layer")
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        value = objectives.data2vec_loss(predict(net, batch), target, batch["mask"], beta=beta, axis_name=axis_name)
        return value, Aux(networks.updates(net, ema), {}, whole.pooled)

    return Method(
        "data2vec",
        frozenset({"image"}),
        make_views,
        init,
        loss,
        encoders.readouts(nets, image.prepare(given)),
        teacher=lambda params: {"encoder": params["encoder"]},
        coupled="the mean is over the masked patches of the whole batch, whose number varies a little",
    )
