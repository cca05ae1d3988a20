"""CLIP: a picture finds its caption among those of the batch, and a caption its picture."""

from jssl import objectives
from jssl.methods.method import Method
from jssl.methods.options import Given, ImageInput
from jssl.methods.pairs.captioned import captioned
from jssl.methods.pairs.two_towers import Scale
from jssl.methods.registry import register

_VIT = {"name": "vit_base"}
_TEXT = {"name": "transformer", "width": 512, "depth": 12, "heads": 8, "pool": "last"}


@register(
    "clip",
    paper="Radford et al., Learning Transferable Visual Models From Natural Language Supervision, arXiv:2103.00020",
    carries=("scale",),
    asks=("captions",),
    golden="clip",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _VIT,
    text_encoder: object = _TEXT,
    width: int = 512,
    scale: float = 1 / 0.07,
    largest_scale: float = 100.0,
    exchange: str = "gather",
) -> Method:
    """Builds CLIP. One caption of each picture is drawn per step.

    The text tower sees the whole caption; the authors' is causal, which matters to those who generate with it.

    Args:
      given: the data, with ``image`` and ``captions``, and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.mae`` with crops from half of the picture, without flips.
      encoder: of pictures, see ``encoders.make``.
      text_encoder: of captions.
      width: of the common space.
      scale: of the similarities at the start: 1 / temperature.
      largest_scale: it is learnt, up to here.
      exchange: how the batch of all devices is compared, ``"gather"`` or ``"ring"``: see ``objectives.nt_xent``.
    """

    def compare(images, texts, factor, bias, axis_name):
        del bias
        return objectives.clip_loss(images, texts, logit_scale=factor, exchange=exchange, axis_name=axis_name)

    return captioned(
        "clip",
        given,
        image,
        encoder,
        text_encoder,
        width=width,
        scale=Scale(scale, 0.0, largest_scale),
        compare=compare,
    )
