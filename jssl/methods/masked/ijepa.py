"""I-JEPA: predict an EMA encoder's features of four blocks of a picture from a context block."""

import dataclasses

import jax

from jssl import views
from jssl.methods import encoders
from jssl.methods.masked.latent import latent_prediction
from jssl.methods.method import Method
from jssl.methods.options import Given, ImageInput, Transformer
from jssl.methods.registry import register

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

    def draw(self, key: jax.Array, batch_key: jax.Array, grid: tuple[int, int]) -> dict[str, jax.Array]:
        """The blocks of one picture."""
        options = {**dataclasses.asdict(self), "context_size": self.slots(grid)}
        return views.multi_block(key, batch_key, grid, **options)

    def slots(self, grid: tuple[int, int]) -> int:
        """Most context patches used."""
        return self.context_size or int(0.6 * grid[0] * grid[1])

    def of(self, masks: dict[str, jax.Array], axis_name) -> dict[str, jax.Array]:
        """The masks of a batch, as the sampler leaves them."""
        return views.truncate_context(masks, axis_name) if self.sampler == "official" else masks

    @property
    def coupled(self) -> str:
        """See ``Method``."""
        return "the official sampler cuts every context to the batch's shortest" if self.sampler == "official" else ""


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
    grid = (image.size // vit.patch_size,) * 2
    view = image.view(given, views.mae)

    def make_views(key, example):
        image_key, mask_key = jax.random.split(key)
        return {"image": view(image_key, example), **blocks.draw(mask_key, example["batch_key"], grid)}

    return latent_prediction(
        "ijepa",
        fields=frozenset({"image"}),
        field="image",
        views=make_views,
        masks=lambda batch, step, axis_name: blocks.of(batch, axis_name),
        encoder=vit,
        predictor=predictor,
        grid=grid,
        readouts=lambda nets: encoders.readouts(nets, image.prepare(given)),
        picture=lambda part: part,
        caption="the picture, its context, and the cosine of predicted and true features at the targets; brighter is closer",
        coupled=blocks.coupled,
        dtype=given.dtype,
    )
