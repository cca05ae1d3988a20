"""DINOv2: iBOT with balanced targets, a head of their own for the patches, and class tokens spread apart."""

from jssl import objectives
from jssl.methods.distillation.masked_distillation import HiddenBlocks, masked_distillation
from jssl.methods.method import Method
from jssl.methods.options import Centering, Given, ImageInput, MultiCrop, PrototypeHead, Temperatures
from jssl.methods.registry import register

_VIT = {"name": "vit_large"}


@register(
    "dinov2",
    paper="Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, arXiv:2304.07193",
    carries=("teacher", "prototypes", "multi-crop"),
    asks=("patches",),
    golden="dinov2_cls",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    crops: MultiCrop = MultiCrop(num_local=8, global_scale=(0.32, 1.0), local_scale=(0.05, 0.32)),
    encoder: object = _VIT,
    head: PrototypeHead = PrototypeHead(bottleneck=384, prototypes=131072),
    shared_head: bool = False,
    mask: HiddenBlocks = HiddenBlocks(),
    temperature: Temperatures = Temperatures(teacher=0.07),
    centering: Centering = Centering("sinkhorn"),
    koleo_weight: float = 0.1,
    gram_weight: float = 0.0,
) -> Method:
    """Builds DINOv2. Registers, drop path and LayerScale are options of the encoder.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes every crop's augmentation.
      crops: numbers, sizes and areas of the crops.
      encoder: see ``encoders.make``; with patches.
      head: of the class token, and a second one like it of the patches.
      shared_head: class token and patches go through one head, as in iBOT and in the authors' ImageNet-1k setting.
      mask: what is hidden from the student.
      temperature: of both softmaxes.
      centering: of the targets.
      koleo_weight: of the KoLeo loss on the class tokens of each large crop.
      gram_weight: of DINOv3's Gram loss (arXiv:2508.10104) on all patches of the large crops, hidden ones too. Its target is
        the current EMA teacher. The paper adds it, with weight 2, after a million steps, and its target is an early
        teacher, renewed every 10,000 steps and given crops of twice the size.
    """

    def class_loss(student, targets, axis_name):
        """Over all pairs of different crops, as in the authors' code: local crops with both targets, each large crop with
        the other's."""

        def compare(crops, targets):
            return objectives.dinov2_loss(crops, targets, student_temperature=temperature.student, axis_name=axis_name)

        large = compare(student[:1], targets[1:]) + compare(student[1:2], targets[:1])  # two pairs
        local = len(student) - 2
        if not local:
            return large / 2
        return (large + 2 * local * compare(student[2:], targets)) / (2 + 2 * local)

    return masked_distillation(
        "dinov2",
        given,
        image,
        crops,
        encoder,
        head,
        mask,
        temperature,
        centering,
        class_loss=class_loss,
        shared_head=shared_head,
        koleo_weight=koleo_weight,
        gram_weight=gram_weight,
        read_beside="mean",
    )
