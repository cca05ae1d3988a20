"""What rotation, relative position and jigsaw share: one or more pieces of a picture go through one encoder, and a classifier
of the concatenated features names what was done to them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jssl import collectives, objectives
from jssl.methods import encoders, networks
from jssl.methods.heads import mlp
from jssl.methods.method import Aux, Method, Show
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput


def pretext(
    name: str,
    given: Given,
    image: ImageInput,
    encoder: object,
    make_views: Callable,
    *,
    size: int,
    num_classes: int,
    classifier: tuple[int, ...],
    solve: Callable | None = None,
) -> Method:
    """The method record of a task whose views are {"pieces": (P, s, s, 3), "label": ()}.

    Args:
      name: of the method.
      given: the data.
      image: how pictures enter.
      encoder: see ``encoders.make``.
      make_views: (key, example) -> views.
      size: side of a piece, pixels.
      num_classes: answers.
      classifier: widths of the hidden layers between the pieces' features and the answer.
      solve: (pieces, answer) of one example -> the picture that the answer makes of them, or None as they come; for people.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=size, dtype=given.dtype),
        classifier=mlp((*classifier, num_classes), given.dtype),
    )

    def answer(net, batch):
        """((B, K) logits, (P, B, D) features of the pieces)."""
        pieces = jnp.swapaxes(batch["pieces"], 0, 1)
        features = net.together(lambda net, images: net("encoder", images).pooled, pieces)
        joined = jnp.swapaxes(features, 0, 1).reshape(features.shape[1], -1)
        return net("classifier", joined), features

    def init(key, batch):
        return nets.init(key, lambda net: answer(net, batch))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        logits, features = answer(net, batch)
        value = objectives.cross_entropy_loss(logits, batch["label"], axis_name=axis_name)
        correct = (logits.argmax(-1) == batch["label"]).astype(jnp.float32).mean()
        metrics = {"accuracy": collectives.mean(correct, axis_name)}
        return value, Aux(networks.updates(net), metrics, features[0])

    def show(params, teacher, extra, batch):
        del teacher
        answers = answer(nets.frozen(params, extra), batch)[0].argmax(-1)
        as_they_come = jax.vmap(lambda pieces: solve(pieces, None))(batch["pieces"])
        return as_they_come, *(jax.vmap(solve)(batch["pieces"], order) for order in (answers, batch["label"]))

    readouts = encoders.readouts(nets, image.prepare(given))
    caption = "the pieces as they come, in the order that is predicted, and in the true one"
    shows = {"Puzzles": Show(caption, show)} if solve else {}
    return Method(name, frozenset({"image"}), make_views, init, loss, readouts, shows=shows)
