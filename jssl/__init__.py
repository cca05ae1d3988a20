"""Self-supervised pretraining in JAX.

The package imports nothing by itself, so that ``import jssl.objectives`` stays as light as jax and numpy.
"""

__version__ = "0.1.0"
