"""iBOT: one head names prototypes for the class token and, where patches are masked, for those patches."""

import jax.numpy as jnp

from jssl.methods import networks
from jssl.methods.masked_distillation import masked_distillation
from jssl.methods.method import Method
from jssl.methods.registry import register


@register(
    "ibot",
    paper="Zhou et al., iBOT: Image BERT Pre-Training with Online Tokenizer, arXiv:2111.07832",
    needs=("teacher", "prototypes", "centre", "multi-crop", "ViT"),
    golden="ibot_patch",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    local_size: int = 96,
    num_local: int = 10,
    global_scale: tuple[float, float] = (0.32, 1.0),
    local_scale: tuple[float, float] = (0.05, 0.32),
    hidden: int = 2048,
    bottleneck: int = 256,
    prototypes: int = 8192,
    norm_last_layer: bool = True,
    batch_norm_head: bool = False,
    mask_ratio: tuple[float, float] = (0.1, 0.5),
    mask_probability: float = 0.5,
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.07,
    warmup_teacher_temperature: float = 0.04,
    teacher_temperature_warmup_steps: int = 0,
    center_momentum: float = 0.9,
) -> Method:
    """Builds iBOT.

    The patch centre is the mean over the masked patches; the authors take it over all patches of the teacher. Here and
    in DINOv2 only masked patches pass through the head, which costs less.

    Args:
      encoder: options of ``networks.make_vit``.
      image_size: side of the two global crops, pixels.
      dtype: compute dtype.
      augmentation: changes to every crop's augmentation.
      local_size: side of the local crops, pixels.
      num_local: local crops per image.
      global_scale: area range of the global crops.
      local_scale: area range of the local crops.
      hidden: width of the head.
      bottleneck: width of the normalised layer before the prototypes.
      prototypes: outputs of the head.
      norm_last_layer: keep the prototypes' gains at one; the authors learn them for ViT-S.
      batch_norm_head: normalise the head's hidden layers over this batch, as for DINO: for short runs. The rows of
        masked patches that a crop leaves unused count, too.
      mask_ratio: range of the share of patches that block masks hide from the student.
      mask_probability: that a global crop is masked at all.
      student_temperature: of the student's softmax.
      teacher_temperature: of the teacher's, after the warmup.
      warmup_teacher_temperature: of the teacher's, at step 0.
      teacher_temperature_warmup_steps: steps over which it rises linearly.
      center_momentum: EMA momentum of the two centres.
    """
    head = networks.make_dino_head(
        hidden=hidden,
        bottleneck=bottleneck,
        out_dim=prototypes,
        norm_last_layer=norm_last_layer,
        batch_norm=batch_norm_head,
        dtype=dtype,
    )
    return masked_distillation(
        "ibot",
        encoder=encoder,
        heads={"head": head},
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
        centering="softmax",
        center_momentum=center_momentum,
        koleo_weight=0.0,
    )
