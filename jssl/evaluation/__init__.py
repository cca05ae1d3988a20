"""How good frozen features are, whatever the modality: protocols on an encoder, beside the baselines that it must beat."""

from jssl.evaluation import baselines, knn, linear, protocols, retrieval, zero_shot
from jssl.evaluation.features import extract, stream
from jssl.evaluation.linear import linear_probe
from jssl.evaluation.protocols import PROTOCOLS, Protocol, check, evaluate
from jssl.evaluation.subject import Encoder, Raw, Subject, Text

__all__ = [
    "PROTOCOLS",
    "Encoder",
    "Protocol",
    "Raw",
    "Subject",
    "Text",
    "baselines",
    "check",
    "evaluate",
    "extract",
    "knn",
    "linear",
    "linear_probe",
    "protocols",
    "retrieval",
    "stream",
    "zero_shot",
]
