"""MoCo v3: a predicted query finds the EMA encoder's key of the other view among the keys of the whole batch."""

from jssl import objectives, views
from jssl.methods import encoders
from jssl.methods.heads import mlp
from jssl.methods.joint_embedding import joint_embedding
from jssl.methods.method import Method
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput
from jssl.methods.registry import register

_VIT = {"name": "vit_small"}


@register(
    "moco_v3",
    paper="Chen et al., An Empirical Study of Training Self-Supervised Vision Transformers, arXiv:2104.02057",
    carries=("teacher", "predictor"),
    golden="moco_v3",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _VIT,
    projector: tuple[int, ...] = (4096, 4096, 256),
    predictor: tuple[int, ...] = (4096, 256),
    final_batch_norm: bool = True,
    temperature: float = 0.2,
    exchange: str = "gather",
) -> Method:
    """Builds MoCo v3; the defaults are those for a ViT.

    A ResNet takes temperature 1, a two-layer projector, and no batch norm at the end of the predictor. For a ViT the
    paper leaves the random patch projection untrained, which it found to be what keeps training stable:
    ``config.optimizer.freeze = "patch_embed"`` for ``freeze_for = "100 %"``.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes both of ``views.byol``, which differ in blur and solarisation.
      encoder: see ``encoders.make``.
      projector: widths of the projector; batch norm follows every layer, the last one without scale and bias.
      predictor: widths of the predictor, normalised likewise.
      final_batch_norm: of the predictor: normalise its last layer, too.
      temperature: of the softmax.
      exchange: how the batch of all devices is compared, ``"gather"`` or ``"ring"``: see ``objectives.nt_xent``.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype, final_batch_norm=True),
        predictor=mlp(predictor, given.dtype, final_batch_norm=final_batch_norm),
    )

    def compare(online, target, labels, axis_name):
        return objectives.moco_v3_loss(
            *online["predictor"], *target["projector"], temperature=temperature, exchange=exchange, axis_name=axis_name
        )

    return joint_embedding(
        "moco_v3",
        given,
        image,
        (image.view(given, views.byol, 0), image.view(given, views.byol, 1)),
        nets,
        compare=compare,
        coupled="the keys of the batch are the negatives",
        tracked=("encoder", "projector"),
    )
