"""SigLIP: is this the caption of this picture? Asked of every pair of the batch, each by itself."""

from jssl import objectives
from jssl.methods.method import Method
from jssl.methods.options import Given, ImageInput
from jssl.methods.pairs.captioned import captioned
from jssl.methods.pairs.two_towers import Scale
from jssl.methods.registry import register

_VIT = {"name": "vit_base"}
_TEXT = {"name": "transformer", "width": 768, "depth": 12, "heads": 12, "pool": "last"}


@register(
    "siglip",
    paper="Zhai et al., Sigmoid Loss for Language Image Pre-Training, arXiv:2303.15343",
    carries=("scale",),
    asks=("captions",),
    golden="siglip",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _VIT,
    text_encoder: object = _TEXT,
    width: int = 768,
    scale: float = 10.0,
    bias: float = -10.0,
    exchange: str = "gather",
) -> Method:
    """Builds SigLIP. One caption of each picture is drawn per step.

    Args:
      given: the data, with ``image`` and ``captions``, and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.mae`` with crops from half of the picture, without flips.
      encoder: of pictures, see ``encoders.make``.
      text_encoder: of captions.
      width: of the common space.
      scale: of the similarities at the start; learnt, as the bias is.
      bias: at the start: most pairs of a batch are no pairs.
      exchange: how the batch of all devices is compared, ``"gather"`` or ``"ring"``: see ``objectives.nt_xent``.
    """

    def compare(images, texts, factor, offset, axis_name):
        return objectives.siglip_loss(
            images, texts, logit_scale=factor, logit_bias=offset, exchange=exchange, axis_name=axis_name
        )

    return captioned(
        "siglip",
        given,
        image,
        encoder,
        text_encoder,
        width=width,
        scale=Scale(scale, bias, float("inf")),
        compare=compare,
    )
