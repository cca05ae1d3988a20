"""What data2vec's methods share: a student that sees masks names the teacher's last blocks, averaged, at what is masked."""

from collections.abc import Callable
from typing import Any

from jssl import objectives
from jssl.methods import networks
from jssl.methods.encoders import PatchEncoder
from jssl.methods.heads import linear
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks


def masked_regression(
    name: str,
    *,
    fields: frozenset[str],
    field: str,
    views: Callable,
    encoder: PatchEncoder,
    top_blocks: int,
    normalize_layers: str,
    normalize_targets: str | None,
    beta: float | None,
    readouts: Callable,
    coupled: str,
    dtype: Any,
) -> Method:
    """The record of a method that regresses the features of a teacher which sees everything.

    Args:
      name: of the method.
      fields: what an example must hold.
      field: name of the view that both networks read.
      views: (key, example) -> that view, and ``mask`` (N,) bool, the patches that the student does not see.
      encoder: with a mask token.
      top_blocks: K, how many of the teacher's last blocks are averaged.
      normalize_layers: see ``objectives.data2vec_targets``.
      normalize_targets: likewise.
      beta: see ``objectives.data2vec_loss``.
      readouts: networks -> name -> Readout.
      coupled: see ``Method``: why the number of masked patches varies.
      dtype: of the computation.

    Raises:
      ValueError: the encoder has fewer blocks.
    """
    if not 1 <= top_blocks <= encoder.depth:
        raise ValueError(f"{name} reads the last {top_blocks} of {encoder.depth} blocks; lower method.top_blocks")
    nets = Networks(encoder=encoder, regression=linear(encoder.width, dtype))

    def predict(net, batch):
        return net("regression", net("encoder", batch[field], masked=batch["mask"]).tokens)

    def init(key, batch):
        return nets.init(key, lambda net: predict(net, batch), tracked=["encoder"])

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del step
        ema = nets.teacher(teacher, extra, axis_name=axis_name)
        whole = ema("encoder", batch[field], last=top_blocks)
        target = objectives.data2vec_targets(
            whole.layers, normalize_layers=normalize_layers, normalize_targets=normalize_targets
        )
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        value = objectives.data2vec_loss(predict(net, batch), target, batch["mask"], beta=beta, axis_name=axis_name)
        return value, Aux(networks.updates(net, ema), {}, whole.pooled)

    return Method(
        name,
        fields,
        views,
        init,
        loss,
        readouts(nets),
        teacher=lambda params: {"encoder": params["encoder"]},
        coupled=coupled,
    )
