"""DINO: a student sees many crops, an EMA teacher two large ones, and both must name the same prototype."""

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.crops import check_centering, crops_first, forward_crops, target_metrics, targets, warmup
from jssl.methods.method import Aux, Method
from jssl.methods.registry import register


@register(
    "dino",
    paper="Caron et al., Emerging Properties in Self-Supervised Vision Transformers, arXiv:2104.14294",
    needs=("teacher", "prototypes", "centre", "multi-crop"),
    golden="dino",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    local_size: int = 96,
    num_local: int = 6,
    global_scale: tuple[float, float] = (0.4, 1.0),
    local_scale: tuple[float, float] = (0.05, 0.4),
    hidden: int = 2048,
    bottleneck: int = 256,
    prototypes: int = 65536,
    norm_last_layer: bool = True,
    batch_norm_head: bool = False,
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.04,
    warmup_teacher_temperature: float = 0.04,
    teacher_temperature_warmup_steps: int = 0,
    centering: str = "softmax",
    center_momentum: float = 0.9,
) -> Method:
    """Builds DINO.

    The authors freeze the last layer for the first epoch: ``config.optimizer.freeze`` does it for any method.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the two global crops, pixels.
      dtype: compute dtype.
      augmentation: changes to every crop's augmentation, e.g. ``{"blur_prob": 0.0}`` for small images.
      local_size: side of the local crops, pixels.
      num_local: local crops per image.
      global_scale: area range of the global crops.
      local_scale: area range of the local crops.
      hidden: width of the head.
      bottleneck: width of the normalised layer before the prototypes.
      prototypes: outputs of the head.
      norm_last_layer: keep the prototypes' gains at one.
      batch_norm_head: normalise the head's hidden layers. Off in the paper; on, targets are sharp from the first step,
        which a short run needs: without it all images have much the same logits for hundreds of steps.
      student_temperature: of the student's softmax.
      teacher_temperature: of the teacher's, after the warmup.
      warmup_teacher_temperature: of the teacher's, at step 0.
      teacher_temperature_warmup_steps: steps over which it rises linearly.
      centering: ``"softmax"`` with a running centre; or ``"sinkhorn"``, which balances each batch: alike in the paper's
        ablation (section 5.1), and faster in short runs.
      center_momentum: EMA momentum of the centre.
    """
    check_centering(centering)
    changes = dict(augmentation or {})
    globals_ = tuple(
        views.dino_global(image_size, which, crop_scale=tuple(global_scale), **changes) for which in (0, 1)
    )
    local = views.dino_local(local_size, crop_scale=tuple(local_scale), **changes)
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "head": networks.make_dino_head(
            hidden=hidden,
            bottleneck=bottleneck,
            out_dim=prototypes,
            norm_last_layer=norm_last_layer,
            batch_norm=batch_norm_head,
            dtype=dtype,
        ),
    }

    def make_views(key, example):
        return views.multi_crop(
            key, example["image"], global_augmentations=globals_, local_augmentation=local, num_local=num_local
        )

    def init(key, batch):
        params, batch_stats = networks.init(stack, key, batch["global"][:, 0])
        return params, {
            "batch_stats": batch_stats,
            "teacher_batch_stats": jax.tree.map(lambda x: x + 0, batch_stats),
        } | ({"center": jnp.zeros(prototypes)} if centering == "softmax" else {})

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        logits, teacher_stats = networks.forward(
            stack, teacher, extra["teacher_batch_stats"], crops_first(batch["global"]), axis_name=axis_name
        )
        logits = logits["head"]
        student, features, batch_stats = forward_crops(
            stack["encoder"],
            {"head": stack["head"]},
            params,
            extra["batch_stats"],
            batch,
            keys=keys,
            axis_name=axis_name,
        )
        teacher_t = warmup(step, warmup_teacher_temperature, teacher_temperature, teacher_temperature_warmup_steps)
        target, center = targets(
            logits,
            jnp.ones(len(logits), bool),
            extra.get("center"),
            centering=centering,
            temperature=teacher_t,
            center_momentum=center_momentum,
            axis_name=axis_name,
        )
        # Cross-entropy over all pairs of different crops, as in SwAV: the targets are the first two crops'.
        value = objectives.swav_loss(
            student["head"], target.reshape(2, -1, prototypes), temperature=student_temperature, axis_name=axis_name
        )
        updates = {"batch_stats": batch_stats, "teacher_batch_stats": teacher_stats} | (
            {} if center is None else {"center": center}
        )
        return value, Aux(updates, target_metrics(target, axis_name), features[0])

    return Method(
        "dino",
        make_views,
        init,
        loss,
        update_extra=lambda extra, updates: networks.mean_over_micro_batches(updates),
        encode=networks.encode_with(stack["encoder"]),
        teacher=lambda params: params,
        coupled="targets are balanced over the whole batch" if centering == "sinkhorn" else networks.coupled(stack),
    )
