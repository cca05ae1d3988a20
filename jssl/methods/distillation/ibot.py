"""iBOT: one head names prototypes for the class token and, where patches are masked, for those patches."""

from jssl import objectives
from jssl.methods.distillation.masked_distillation import HiddenBlocks, masked_distillation
from jssl.methods.method import Method
from jssl.methods.options import Centering, Given, ImageInput, MultiCrop, PrototypeHead, Temperatures
from jssl.methods.registry import register

_VIT = {"name": "vit_small"}


@register(
    "ibot",
    paper="Zhou et al., iBOT: Image BERT Pre-Training with Online Tokenizer, arXiv:2111.07832",
    carries=("teacher", "prototypes", "centre", "multi-crop"),
    asks=("patches",),
    golden="ibot_patch",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    crops: MultiCrop = MultiCrop(num_local=10, global_scale=(0.32, 1.0), local_scale=(0.05, 0.32)),
    encoder: object = _VIT,
    head: PrototypeHead = PrototypeHead(prototypes=8192),
    mask: HiddenBlocks = HiddenBlocks(),
    temperature: Temperatures = Temperatures(teacher=0.07),
    centering: Centering = Centering(),
) -> Method:
    """Builds iBOT.

    The patch centre is the mean over the masked patches; the authors take it over all patches of the teacher. Here and
    in DINOv2 only masked patches pass through the head, which costs less; with ``head.batch_norm`` the slots that a crop
    leaves unused count, too.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes every crop's augmentation.
      crops: numbers, sizes and areas of the crops.
      encoder: see ``encoders.make``; with patches.
      head: of class token and patches. The authors learn its gains (``norm_last_layer=False``) for ViT-S.
      mask: what is hidden from the student.
      temperature: of both softmaxes.
      centering: of the targets. The authors' is "softmax"; "sinkhorn" is DINOv2's.
    """

    def class_loss(student, targets, axis_name):
        """DINO's, of targets that are there already: SwAV's."""
        return objectives.swav_loss(student, targets, temperature=temperature.student, axis_name=axis_name)

    return masked_distillation(
        "ibot",
        given,
        image,
        crops,
        encoder,
        head,
        mask,
        temperature,
        centering,
        class_loss=class_loss,
        shared_head=True,
    )
