"""data2vec: predict, at masked patches, the average of an EMA encoder's last blocks for the whole picture."""

import dataclasses

import jax

from jssl import views
from jssl.methods import encoders
from jssl.methods.masked.regression import masked_regression
from jssl.methods.method import Method
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
    grid = image.size // vit.patch_size
    num_masked = int(mask.ratio * grid**2)
    if mask.min_block > num_masked:
        raise ValueError(
            f"mask.min_block={mask.min_block}, but {num_masked} of {grid**2} patches are masked; lower method.mask.min_block"
        )
    view = image.view(given, views.mae)

    def make_views(key, example):
        image_key, mask_key = jax.random.split(key)
        hidden = views.block_mask(
            mask_key, grid, num_masked=num_masked, min_block=mask.min_block, max_block=mask.max_block
        )
        return {"image": view(image_key, example), "mask": hidden}

    return masked_regression(
        "data2vec",
        fields=frozenset({"image"}),
        field="image",
        views=make_views,
        encoder=vit,
        top_blocks=top_blocks,
        normalize_layers=normalize_layers,
        normalize_targets="layer",
        beta=beta,
        readouts=lambda nets: encoders.readouts(nets, image.prepare(given)),
        coupled="the mean is over the masked patches of the whole batch, whose number varies a little",
        dtype=given.dtype,
    )
