"""Clustering and self-distillation: naming prototypes across crops."""
