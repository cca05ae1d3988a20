"""Whether a representation is collapsing, and how."""

from jssl.diagnostics.agreement import ema_distance, linear_cka, mutual_information
from jssl.diagnostics.collapse import alignment, feature_std, lidar, mean_cosine, summary, uniformity
from jssl.diagnostics.directions import alpha_req, effective_rank, rankme, spectrum

__all__ = [
    "alignment",
    "alpha_req",
    "effective_rank",
    "ema_distance",
    "feature_std",
    "lidar",
    "linear_cka",
    "mean_cosine",
    "mutual_information",
    "rankme",
    "spectrum",
    "summary",
    "uniformity",
]
