"""Methods by name: ``build("simclr", encoder=..., image_size=...)``."""

from jssl.methods import dino, ijepa, mae, moco, simclr
from jssl.methods.method import Aux, Method, student, teacher
from jssl.methods.registry import REGISTRY, Entry, build, register

__all__ = [
    "REGISTRY", "Aux", "Entry", "Method", "build", "dino", "ijepa", "mae", "moco", "register", "simclr", "student", "teacher",
]  # fmt: skip
