"""The loss of every method as its paper writes it, in NumPy, on the outputs of the networks of small.py.

A new method adds its formula to the file of its family.
"""

from . import contrastive, distillation, flow, language_and_pairs, masked, pretext, siamese, video, waves
from .case import CASES, STEP, crops

__all__ = [
    "CASES",
    "STEP",
    "contrastive",
    "crops",
    "distillation",
    "flow",
    "language_and_pairs",
    "masked",
    "pretext",
    "siamese",
    "video",
    "waves",
]
