"""SwAV: every crop predicts the cluster assignment, balanced over the batch, of the two large crops."""

import jax
import jax.numpy as jnp

from jssl import collectives, objectives, views
from jssl.durations import Length
from jssl.methods import encoders, networks
from jssl.methods.distillation.crops import forward_crops
from jssl.methods.distillation.targets import target_metrics
from jssl.methods.heads import mlp
from jssl.methods.method import Aux, Method, mean_over_micro_batches
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput, MultiCrop
from jssl.methods.registry import register
from jssl.models import Prototypes

_RESNET = {"name": "resnet50"}


@register(
    "swav",
    paper="Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments, arXiv:2006.09882",
    carries=("prototypes", "queue", "multi-crop"),
    golden="swav",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    crops: MultiCrop = MultiCrop(global_scale=(0.14, 1.0), local_scale=(0.05, 0.14)),
    encoder: object = _RESNET,
    projector: tuple[int, ...] = (2048, 128),
    prototypes: int = 3000,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    sinkhorn_iterations: int = 3,
    queue_size: int = 0,
    queue_start: Length = 0,
) -> Method:
    """Builds SwAV.

    Prototypes are normalised in every forward pass. The paper holds them fixed for the first epoch:
    ``config.optimizer.freeze = "^prototypes"``. The queue serves batches that are small beside the prototypes: past
    embeddings take part in the balancing once it has been filled, which starts at ``queue_start``.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes every crop's ``views.simclr``.
      crops: numbers, sizes and areas of the crops.
      encoder: see ``encoders.make``.
      projector: widths of the projector, with batch norm on the hidden layer.
      prototypes: clusters.
      temperature: of the predictions.
      epsilon: of the Sinkhorn assignment.
      sinkhorn_iterations: of the Sinkhorn assignment.
      queue_size: past embeddings kept per global crop, at least the global batch; 0 for none.
      queue_start: when the queue begins to fill.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype),
        prototypes=Prototypes(prototypes, dtype=given.dtype),
    )

    def forward(net, batch):
        """(scores of every crop, embeddings of the large ones, features of the large ones)."""
        outputs, features = forward_crops(net, ["projector"], batch)
        return net("prototypes", objectives.l2_normalize(outputs["projector"])), outputs["projector"][:2], features

    def init(key, batch):
        params, extra = nets.init(key, lambda net: forward(net, batch))
        queue = jnp.zeros((2, queue_size, projector[-1]))
        return params, {**extra, "queue": queue, "pointer": jnp.zeros((), jnp.int32)}

    def assign(net, scores, queue):
        """(B, K) scores of one global crop -> (B, K) codes, with the help of its queue once that is full."""
        balance = {"epsilon": epsilon, "num_iterations": sinkhorn_iterations, "axis_name": net.axis_name}
        codes = objectives.sinkhorn(scores, **balance)
        if not queue_size:
            return codes
        past = net("prototypes", objectives.l2_normalize(queue))
        helped = objectives.sinkhorn(scores, queue=past, **balance)
        return jnp.where(jnp.any(queue[-1] != 0), helped, codes)

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        scores, embeddings, features = forward(net, batch)
        codes = jnp.stack([assign(net, scores[crop], extra["queue"][crop]) for crop in (0, 1)])
        value = objectives.swav_loss(scores, codes, temperature=temperature, axis_name=axis_name)
        embeddings = embeddings.astype(jnp.float32)
        updates = {
            **networks.updates(net),
            "embeddings": jnp.stack([collectives.replicate(crop, axis_name) for crop in embeddings]),
            "queueing": jnp.asarray(step >= queue_start),
        }
        return value, Aux(updates, target_metrics(codes, value, axis_name), features[0])

    def update_extra(extra, updates):
        new = mean_over_micro_batches(extra, {"batch_stats": updates["batch_stats"]})
        if not queue_size:
            return new
        # (micro-batches, 2, B, D) -> (2, all examples, D); both queues are written at one pointer.
        embeddings = jnp.moveaxis(updates["embeddings"], 1, 0).reshape(2, -1, projector[-1])
        queue, pointer = jax.vmap(objectives.enqueue, (0, None, 0))(extra["queue"], extra["pointer"], embeddings)
        queued = {"queue": queue, "pointer": pointer[0]}
        kept = {name: jnp.where(updates["queueing"][0], value, extra[name]) for name, value in queued.items()}
        return {**new, **kept}

    return Method(
        "swav",
        frozenset({"image"}),
        crops.views(given, image, _augmentation, _augmentation),
        init,
        loss,
        encoders.readouts(nets, image.prepare(given), "projector"),
        update_extra,
        coupled="assignments are balanced over the whole batch",
        fewest=2,
    )


def _augmentation(size: int, *which: int, **changes) -> views.Augmentation:
    """All crops are augmented alike."""
    return views.simclr(size, **changes)
