"""DINOv2: iBOT with balanced targets, a head of their own for the patches, and class tokens spread apart."""

import jax.numpy as jnp

from jssl.methods import networks
from jssl.methods.masked_distillation import masked_distillation
from jssl.methods.method import Method
from jssl.methods.registry import register


@register(
    "dinov2",
    paper="Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, arXiv:2304.07193",
    needs=("teacher", "prototypes", "multi-crop", "ViT"),
    golden="dinov2_cls",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    local_size: int = 96,
    num_local: int = 8,
    global_scale: tuple[float, float] = (0.32, 1.0),
    local_scale: tuple[float, float] = (0.05, 0.32),
    hidden: int = 2048,
    bottleneck: int = 384,
    prototypes: int = 131072,
    shared_head: bool = False,
    batch_norm_head: bool = False,
    mask_ratio: tuple[float, float] = (0.1, 0.5),
    mask_probability: float = 0.5,
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.07,
    warmup_teacher_temperature: float = 0.04,
    teacher_temperature_warmup_steps: int = 0,
    centering: str = "sinkhorn",
    center_momentum: float = 0.9,
    koleo_weight: float = 0.1,
) -> Method:
    """Builds DINOv2. Registers, drop path and LayerScale are options of the encoder.

    Args:
      encoder: options of ``networks.make_vit``.
      image_size: side of the two global crops, pixels.
      dtype: compute dtype.
      augmentation: changes to every crop's augmentation.
      local_size: side of the local crops, pixels.
      num_local: local crops per image.
      global_scale: area range of the global crops.
      local_scale: area range of the local crops.
      hidden: width of the heads.
      bottleneck: width of the normalised layer before the prototypes.
      prototypes: outputs of each head.
      shared_head: class token and patches go through one head, as in iBOT and in the authors' ImageNet-1k setting.
      batch_norm_head: normalise the heads' hidden layers over this batch, as for DINO: for short runs. The rows of
        masked patches that a crop leaves unused count, too.
      mask_ratio: range of the share of patches that block masks hide from the student.
      mask_probability: that a global crop is masked at all.
      student_temperature: of the student's softmax.
      teacher_temperature: of the teacher's, after the warmup.
      warmup_teacher_temperature: of the teacher's, at step 0.
      teacher_temperature_warmup_steps: steps over which it rises linearly.
      centering: ``"sinkhorn"``, or ``"softmax"`` with running centres.
      center_momentum: EMA momentum of the centres.
      koleo_weight: of the KoLeo loss on the class tokens of each global crop.
    """
    heads = {
        name: networks.make_dino_head(
            hidden=hidden, bottleneck=bottleneck, out_dim=prototypes, batch_norm=batch_norm_head, dtype=dtype
        )
        for name in (("head",) if shared_head else ("head", "patch_head"))
    }
    return masked_distillation(
        "dinov2",
        encoder=encoder,
        heads=heads,
        prototypes=prototypes,
        image_size=image_size,
        dtype=dtype,
        augmentation=augmentation,
        local_size=local_size,
        num_local=num_local,
        global_scale=global_scale,
        local_scale=local_scale,
        mask_ratio=mask_ratio,
        mask_probability=mask_probability,
        student_temperature=student_temperature,
        teacher_temperature=teacher_temperature,
        warmup_teacher_temperature=warmup_teacher_temperature,
        teacher_temperature_warmup_steps=teacher_temperature_warmup_steps,
        centering=centering,
        center_momentum=center_momentum,
        koleo_weight=koleo_weight,
    )
