"""How good frozen features are: k-NN and linear probe, beside the baselines that they must beat."""

from jssl.evaluation import knn
from jssl.evaluation.features import extract

__all__ = ["extract", "knn"]
