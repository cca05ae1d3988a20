"""LeJEPA: many crops predict the mean of the large ones, and embeddings are kept an isotropic Gaussian; no teacher."""

import jax

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.distillation.crops import forward_crops
from jssl.methods.heads import mlp
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput, MultiCrop
from jssl.methods.registry import register

_VIT = {"name": "vit_large", "patch_size": 14}


@register(
    "lejepa",
    paper="Balestriero and LeCun, LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics, arXiv:2511.08544",
    carries=("multi-crop",),
    golden="formula",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    crops: MultiCrop = MultiCrop(local_size=98, global_scale=(0.3, 1.0), local_scale=(0.05, 0.3)),
    encoder: object = _VIT,
    projector: tuple[int, ...] = (2048, 2048, 16),
    weight: float = 0.05,
    num_slices: int = 1024,
) -> Method:
    """Builds LeJEPA.

    The directions of a step are a function of its number, so that every device, and a run that is resumed, has the same
    ones. Crops of both sizes change alike (``views.lejepa``), as the authors' README has it.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes every crop's augmentation.
      crops: numbers, sizes and areas of the crops.
      encoder: see ``encoders.make``.
      projector: widths of the projector, with batch norm on the hidden layers.
      weight: the paper's lambda, of SIGReg against the prediction.
      num_slices: random directions of SIGReg.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype),
    )

    def init(key, batch):
        return nets.init(key, lambda net: forward_crops(net, ["projector"], batch))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        outputs, features = forward_crops(net, ["projector"], batch)
        value = objectives.lejepa_loss(
            outputs["projector"],
            num_global=batch["global"].shape[1],
            key=jax.random.fold_in(jax.random.key(0), step),
            weight=weight,
            num_slices=num_slices,
            axis_name=axis_name,
        )
        return value, Aux(networks.updates(net), {}, features[0])

    def large(size, which, **changes):
        del which  # both alike
        return views.lejepa(size, **changes)

    return Method(
        "lejepa",
        frozenset({"image"}),
        crops.views(given, image, large, views.lejepa),
        init,
        loss,
        encoders.readouts(nets, image.prepare(given), "projector"),
        coupled="the characteristic function is that of the whole batch",
        fewest=2,
    )
