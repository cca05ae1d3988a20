"""Whether a representation is collapsing, and how."""

from jssl.diagnostics.collapse import alignment, alpha_req, feature_std, lidar, mean_cosine, rankme, summary, uniformity

__all__ = ["alignment", "alpha_req", "feature_std", "lidar", "mean_cosine", "rankme", "summary", "uniformity"]
