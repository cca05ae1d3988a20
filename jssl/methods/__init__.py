"""Methods by name: ``build("simclr", encoder=..., image_size=...)``."""

from jssl.methods import (
    align_uniform,
    barlow_twins,
    byol,
    colorization,
    data2vec,
    denoising,
    dino,
    dinov2,
    ibot,
    ijepa,
    mae,
    moco,
    moco_v3,
    pretext,
    simclr,
    simsiam,
    spectral,
    sup_con,
    supervised,
    swav,
    vicreg,
)
from jssl.methods.method import Aux, Method, student, teacher
from jssl.methods.registry import REGISTRY, Entry, build, register

__all__ = [
    "REGISTRY", "Aux", "Entry", "Method", "align_uniform", "barlow_twins", "build", "byol", "colorization", "data2vec",
    "denoising", "dino", "dinov2", "ibot", "ijepa", "mae", "moco", "moco_v3", "pretext", "register", "simclr", "simsiam",
    "spectral", "student", "sup_con", "supervised", "swav", "teacher", "vicreg",
]  # fmt: skip
