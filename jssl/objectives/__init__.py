"""Losses of self-supervised learning: pure functions of arrays, with jax and numpy as the only imports.

Arrays are positional, hyperparameters are keywords. Every function returns the mean over the *global* batch, the same
value on every device. With ``axis_name=None`` the arrays are the whole batch (plain ``jax.jit``, sharded or not).
Inside ``jax.shard_map`` pass the batch axes: gradients then need no reduction. Under ``jax.pmap``, or with
``check_vma=False``, pass them too and apply one ``jax.lax.pmean`` to the gradients.

>>> import jax, jax.numpy as jnp
>>> loss, gradient = jax.value_and_grad(lambda z: nt_xent(z, z + 1.0, temperature=0.5))(jnp.eye(4))
>>> loss.dtype.name, gradient.shape
('float32', (4, 4))
"""

from jssl.objectives.dino import dino_loss, update_center
from jssl.objectives.info_nce import info_nce, moco_v3_loss
from jssl.objectives.jepa import jepa_loss
from jssl.objectives.mae import mae_loss
from jssl.objectives.nt_xent import nt_xent
from jssl.objectives.patches import patchify, unpatchify
from jssl.objectives.queue import enqueue
from jssl.objectives.similarity import l2_normalize
from jssl.objectives.sinkhorn import sinkhorn

__all__ = [
    "dino_loss",
    "enqueue",
    "info_nce",
    "jepa_loss",
    "l2_normalize",
    "mae_loss",
    "moco_v3_loss",
    "nt_xent",
    "patchify",
    "sinkhorn",
    "unpatchify",
    "update_center",
]
