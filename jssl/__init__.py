"""Self-supervised pretraining in JAX.

``import jssl`` loads nothing else: each name below is imported when it is first used, so that ``import jssl.objectives``
stays as light as jax and numpy.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors and type checkers; at run time __getattr__ finds them
    from jssl import methods, objectives, views
    from jssl.report.load import load
    from jssl.train.loop import pretrain

__all__ = ["__version__", "load", "methods", "objectives", "pretrain", "views"]
__version__ = "0.1.0"

_HOMES = {
    "load": "jssl.report.load",
    "methods": "jssl.methods",
    "objectives": "jssl.objectives",
    "pretrain": "jssl.train.loop",
    "views": "jssl.views",
}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'jssl' has no attribute {name!r}")
    module = importlib.import_module(_HOMES[name])
    return getattr(module, name, module)


def __dir__():
    return __all__
