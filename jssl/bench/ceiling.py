"""The fastest matrix products of the devices at hand, measured on the spot."""

import time

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jssl import sharding

__all__ = ["matmul_flops"]

SIDES = {"cpu": (1024, 2048)}
_SIDES = (4096, 8192)


def matmul_flops(mesh: Mesh, dtype, *, seconds: float = 1.0) -> float:
    """Floating-point operations a second that all devices of a mesh reach together in products of large square matrices.

    The best of a few sizes and of all repetitions is taken: a ceiling, which no network reaches.

    Args:
      mesh: the devices.
      dtype: of the matrices; products have the precision that JAX gives them by default.
      seconds: about how long to try each size.
    """
    placed, best = sharding.batch_sharding(mesh), 0.0
    product = jax.jit(lambda a, b: a @ b, out_shardings=placed)
    for side in SIDES.get(mesh.devices.flat[0].platform, _SIDES):
        ones = np.full((mesh.size, side, side), 1 / side, np.float32)
        a = b = sharding.place(ones.astype(jnp.dtype(dtype)), placed)
        a = jax.block_until_ready(product(a, b))
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            start = time.perf_counter()
            a = jax.block_until_ready(product(a, b))
            best = max(best, 2 * mesh.size * side**3 / (time.perf_counter() - start))
    return best
