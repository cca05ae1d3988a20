"""What language models do with packed rows of tokens: reading them."""

from jssl.methods.method import Readout
from jssl.methods.networks import Networks, Run
from jssl.models import Features


def encode(net: Run, batch) -> Features:
    """Features of rows: ``tokens`` and ``segments``, each (B, L)."""
    return net("encoder", batch["tokens"], segments=batch["segments"])


def prepare(example) -> dict:
    """A row as a readout takes it."""
    return {"tokens": example["tokens"], "segments": example["segments"]}


def readout(nets: Networks) -> Readout:
    """The encoder's features of a row as it is."""

    def apply(params, extra, inputs):
        return encode(nets.frozen(params, extra), inputs)

    return Readout(prepare, apply)
