"""Masked language modelling: hidden tokens are named from those on both sides."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.language import rows
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks
from jssl.methods.options import Given
from jssl.methods.registry import register

_TRANSFORMER = {"name": "transformer", "width": 768, "depth": 12, "heads": 12}


@register(
    "masked_lm",
    paper="Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding, arXiv:1810.04805",
    asks=("text",),
    reads=("tokens", "segments"),
    golden="mlm_mask_stats",
)
def build(given: Given, *, encoder: object = _TRANSFORMER, rate: float = 0.15) -> Method:
    """Builds BERT's masked language model, without its prediction of the next sentence.

    The mask is one more token than the data have, and the output embedding is that of the input. BERT has a layer and a bias
    before the softmax, draws what stands for a hidden token from the special ones too, and normalises after the sums; here
    the network is that of ``causal_lm``, which sees both sides.

    Args:
      given: the data, with ``tokens`` and ``segments``, and the compute dtype.
      encoder: see ``encoders.make``; it reads rows of tokens and sees all of a document.
      rate: share of a row's tokens that is hidden; of these 80 % are the mask, 10 % any token, 10 % left as they are.
    """
    (length,) = given.spec["tokens"].shape
    vocabulary = given.about.vocabulary
    told = {"length": length, "causal": False, "dtype": given.dtype}
    nets = Networks(encoder=encoders.make("tokens", encoder, vocabulary=vocabulary and vocabulary + 1, **told))

    def make_views(key, example):
        return views.masked_tokens(
            key, example["tokens"], example["segments"], mask_id=vocabulary, vocabulary=vocabulary, rate=rate
        )

    def init(key, batch):
        return nets.init(key, lambda net: rows.encode(net, batch))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        features = rows.encode(net, batch)
        value = objectives.masked_lm_loss(
            features.tokens,
            params["encoder"]["embedding"].astype(given.dtype),
            batch["positions"],
            batch["targets"],
            batch["weights"],
            axis_name=axis_name,
        )
        return value, Aux(networks.updates(net), {"perplexity": jnp.exp(value)}, features.pooled)

    return Method(
        "masked_lm",
        frozenset({"tokens", "segments"}),
        make_views,
        init,
        loss,
        {"text": rows.readout(nets)},
        coupled="the mean is over the hidden tokens of the whole batch, whose number varies with the padding of a row",
    )
