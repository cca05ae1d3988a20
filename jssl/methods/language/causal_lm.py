"""Causal language modelling: every token names the next one."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.language import rows
from jssl.methods.method import Aux, Method, Readout
from jssl.methods.networks import Networks
from jssl.methods.options import Given
from jssl.methods.registry import register
from jssl.models import Features

_TRANSFORMER = {"name": "transformer", "width": 768, "depth": 12, "heads": 12}


@register(
    "causal_lm",
    paper="Radford et al., Language Models are Unsupervised Multitask Learners, 2019 (GPT-2)",
    asks=("text",),
    reads=("tokens", "segments"),
    golden="formula",
)
def build(given: Given, *, encoder: object = _TRANSFORMER) -> Method:
    """Builds a decoder-only language model whose output embedding is that of its input, as in GPT-2.

    The loss is the mean over all tokens that have a next one in their document. A row of L tokens names L - 1, so a
    context of 1,024 takes rows of 1,025.

    Args:
      given: the data, with ``tokens`` and ``segments``, and the compute dtype.
      encoder: see ``encoders.make``; it reads rows of tokens and no token may see a later one.
    """
    (length,) = given.spec["tokens"].shape
    told = {"vocabulary": given.about.vocabulary, "length": length, "causal": True, "dtype": given.dtype}
    nets = Networks(encoder=encoders.make("tokens", encoder, **told))

    def make_views(key, example):
        return views.next_token(example["tokens"], example["segments"])

    def init(key, batch):
        return nets.init(key, lambda net: rows.encode(net, batch))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        features = rows.encode(net, batch)
        embedding = params["encoder"]["embedding"].astype(given.dtype)
        value = objectives.causal_lm_loss(
            features.tokens, embedding, batch["targets"], batch["weights"], axis_name=axis_name
        )
        return value, Aux(networks.updates(net), {"perplexity": jnp.exp(value)}, features.pooled)

    text = rows.readout(nets)

    def next_token(params, extra, inputs):
        """Logits of what follows the last real token of each row."""
        tokens = text.apply(params, extra, inputs).tokens
        last = jnp.sum((inputs["segments"] > 0).astype(jnp.int32), -1) - 1
        state = jnp.take_along_axis(tokens, last[:, None, None], 1)[:, 0].astype(jnp.float32)
        return Features(state @ params["encoder"]["embedding"].T)

    return Method(
        "causal_lm",
        frozenset({"tokens", "segments"}),
        make_views,
        init,
        loss,
        {"text": text, "next_token": Readout(rows.prepare, next_token)},
        coupled="the mean is over the tokens of the whole batch, whose number varies with the documents in a row",
    )
