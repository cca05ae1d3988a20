"""How good frozen features are: k-NN and linear probe, beside the baselines that they must beat."""

from jssl.evaluation import baselines, knn, linear, protocols
from jssl.evaluation.features import extract
from jssl.evaluation.linear import linear_probe
from jssl.evaluation.protocols import evaluate

__all__ = ["baselines", "evaluate", "extract", "knn", "linear", "linear_probe", "protocols"]
