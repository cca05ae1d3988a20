"""SwAV: every crop predicts the cluster assignment, balanced over the batch, of the two large crops."""

import jax
import jax.numpy as jnp

from jssl import collectives, objectives, views
from jssl.methods import networks
from jssl.methods.crops import forward_crops, target_metrics
from jssl.methods.method import Aux, Method
from jssl.methods.registry import register
from jssl.models import heads


@register(
    "swav",
    paper="Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, arXiv:2006.09882",
    needs=("prototypes", "queue", "multi-crop"),
    golden="swav",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    local_size: int = 96,
    num_local: int = 6,
    global_scale: tuple[float, float] = (0.14, 1.0),
    local_scale: tuple[float, float] = (0.05, 0.14),
    projector: tuple[int, ...] = (2048, 128),
    prototypes: int = 3000,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    sinkhorn_iterations: int = 3,
    queue_size: int = 0,
    queue_start: int = 0,
) -> Method:
    """Builds SwAV.

    Prototypes are normalised in every forward pass. The paper holds them fixed for the first epoch:
    ``config.optimizer.freeze = "^prototypes"``. The queue serves batches that are small beside the prototypes: past
    embeddings take part in the balancing once it has been filled, which starts at ``queue_start``.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the two global crops, pixels.
      dtype: compute dtype.
      augmentation: changes to every crop's ``views.simclr``.
      local_size: side of the local crops, pixels.
      num_local: local crops per image.
      global_scale: area range of the global crops.
      local_scale: area range of the local crops.
      projector: widths of the projector, with batch norm on the hidden layer.
      prototypes: clusters.
      temperature: of the predictions.
      epsilon: of the Sinkhorn assignment.
      sinkhorn_iterations: of the Sinkhorn assignment.
      queue_size: past embeddings kept per global crop, at least the global batch; 0 for none.
      queue_start: step at which the queue begins to fill.
    """
    changes = dict(augmentation or {})
    large = views.simclr(image_size, **{"crop_scale": tuple(global_scale), **changes})
    small = views.simclr(local_size, **{"crop_scale": tuple(local_scale), **changes})
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype),
        "prototypes": networks.Network(
            heads.Prototypes(prototypes, dtype=dtype), lambda m, x, train, keys: m(objectives.l2_normalize(x))
        ),
    }
    head = {name: stack[name] for name in ("projector", "prototypes")}

    def make_views(key, example):
        return views.multi_crop(
            key, example["image"], global_augmentations=(large, large), local_augmentation=small, num_local=num_local
        )

    def init(key, batch):
        params, batch_stats = networks.init(stack, key, batch["global"][:, 0])
        queue = jnp.zeros((2, queue_size, projector[-1]))
        return params, {"batch_stats": batch_stats, "queue": queue, "pointer": jnp.zeros((), jnp.int32)}

    def assign(scores, queue, params, axis_name):
        """(B, K) scores of one global crop -> (B, K) codes, with the help of its queue once that is full."""
        balance = {"epsilon": epsilon, "num_iterations": sinkhorn_iterations, "axis_name": axis_name}
        codes = objectives.sinkhorn(scores, **balance)
        if not queue_size:
            return codes
        past, _ = networks.forward({"prototypes": stack["prototypes"]}, params, {}, queue)
        helped = objectives.sinkhorn(scores, queue=past["prototypes"], **balance)
        return jnp.where(jnp.any(queue[-1] != 0), helped, codes)

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher
        outputs, features, batch_stats = forward_crops(
            stack["encoder"], head, params, extra["batch_stats"], batch, keys=keys, axis_name=axis_name
        )
        scores = outputs["prototypes"]
        codes = jnp.stack([assign(scores[crop], extra["queue"][crop], params, axis_name) for crop in (0, 1)])
        value = objectives.swav_loss(scores, codes, temperature=temperature, axis_name=axis_name)
        embeddings = outputs["projector"][:2].astype(jnp.float32)
        updates = {
            "batch_stats": batch_stats,
            "embeddings": jnp.stack([collectives.replicate(crop, axis_name) for crop in embeddings]),
            "queueing": jnp.asarray(step >= queue_start),
        }
        return value, Aux(updates, target_metrics(codes, axis_name), features[0])

    def update_extra(extra, updates):
        batch_stats = networks.mean_over_micro_batches(updates["batch_stats"])
        if not queue_size:
            return {**extra, "batch_stats": batch_stats}
        # (micro-batches, 2, B, D) -> (2, all examples, D); both queues are written at one pointer.
        embeddings = jnp.moveaxis(updates["embeddings"], 1, 0).reshape(2, -1, projector[-1])
        queue, pointer = jax.vmap(objectives.enqueue, (0, None, 0))(extra["queue"], extra["pointer"], embeddings)
        new = {"queue": queue, "pointer": pointer[0]}
        kept = {name: jnp.where(updates["queueing"][0], value, extra[name]) for name, value in new.items()}
        return {"batch_stats": batch_stats, **kept}

    return Method(
        "swav",
        make_views,
        init,
        loss,
        update_extra,
        encode=networks.encode_with(stack["encoder"]),
        coupled="assignments are balanced over the whole batch",
    )
