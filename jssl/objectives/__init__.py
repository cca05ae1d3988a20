"""Losses of self-supervised learning: pure functions of arrays, with jax and numpy as the only imports.

Arrays are positional, hyperparameters are keywords. Every function returns the mean over the *global* batch, the same
value on every device. With ``axis_name=None`` the arrays are the whole batch (plain ``jax.jit``, sharded or not, over
Auto or Explicit axes). Inside ``jax.shard_map`` pass the batch axes: gradients then need no reduction. Under
``jax.pmap``, or with ``check_vma=False``, pass them too and apply one ``jax.lax.pmean`` to the gradients.

>>> import jax, jax.numpy as jnp
>>> loss, gradient = jax.value_and_grad(lambda z: nt_xent(z, z + 1.0, temperature=0.5))(jnp.eye(4))
>>> loss.dtype.name, gradient.shape
('float32', (4, 4))
"""

from jssl.objectives.audio.apc import apc_loss
from jssl.objectives.audio.cpc import cpc_loss
from jssl.objectives.audio.wav2vec2 import code_diversity_loss, code_perplexity, wav2vec2_loss
from jssl.objectives.clustering.dino import dino_loss, softmax_center, update_center
from jssl.objectives.clustering.dinov2 import dinov2_loss
from jssl.objectives.clustering.ibot import ibot_loss
from jssl.objectives.clustering.koleo import koleo_loss
from jssl.objectives.clustering.sinkhorn import sinkhorn
from jssl.objectives.clustering.swav import swav_loss
from jssl.objectives.contrastive.align_uniform import align_uniform_loss, alignment, uniformity
from jssl.objectives.contrastive.clip import clip_loss
from jssl.objectives.contrastive.info_nce import info_nce, moco_v3_loss
from jssl.objectives.contrastive.nt_xent import nt_xent
from jssl.objectives.contrastive.queue import enqueue
from jssl.objectives.contrastive.siglip import siglip_loss
from jssl.objectives.contrastive.spectral_contrastive import spectral_contrastive_loss
from jssl.objectives.contrastive.supcon import sup_con_loss
from jssl.objectives.latent.data2vec import data2vec_loss, data2vec_targets
from jssl.objectives.latent.gram import gram_loss
from jssl.objectives.latent.jepa import jepa_loss
from jssl.objectives.latent.vjepa import vjepa_loss
from jssl.objectives.motion.flow import flow_consistency_loss, flow_smoothness_loss, photometric_loss
from jssl.objectives.motion.warp import flow_visibility, warp
from jssl.objectives.non_contrastive.barlow_twins import barlow_twins_loss
from jssl.objectives.non_contrastive.byol import byol_loss
from jssl.objectives.non_contrastive.lejepa import lejepa_loss, sigreg_loss
from jssl.objectives.non_contrastive.simsiam import simsiam_loss
from jssl.objectives.non_contrastive.vicreg import vicreg_loss
from jssl.objectives.prediction.causal_lm import causal_lm_loss
from jssl.objectives.prediction.cross_entropy import cross_entropy_loss, soft_cross_entropy_loss
from jssl.objectives.prediction.masked_lm import masked_lm_loss
from jssl.objectives.reconstruction.denoising import denoising_loss
from jssl.objectives.reconstruction.mae import mae_loss
from jssl.objectives.reconstruction.patches import patchify
from jssl.objectives.similarity import l2_normalize

__all__ = [
    "align_uniform_loss",
    "alignment",
    "apc_loss",
    "barlow_twins_loss",
    "byol_loss",
    "causal_lm_loss",
    "clip_loss",
    "code_diversity_loss",
    "code_perplexity",
    "cpc_loss",
    "cross_entropy_loss",
    "data2vec_loss",
    "data2vec_targets",
    "denoising_loss",
    "dino_loss",
    "dinov2_loss",
    "enqueue",
    "flow_consistency_loss",
    "flow_smoothness_loss",
    "flow_visibility",
    "gram_loss",
    "ibot_loss",
    "info_nce",
    "jepa_loss",
    "koleo_loss",
    "l2_normalize",
    "lejepa_loss",
    "mae_loss",
    "masked_lm_loss",
    "moco_v3_loss",
    "nt_xent",
    "patchify",
    "photometric_loss",
    "siglip_loss",
    "sigreg_loss",
    "simsiam_loss",
    "sinkhorn",
    "soft_cross_entropy_loss",
    "softmax_center",
    "spectral_contrastive_loss",
    "sup_con_loss",
    "swav_loss",
    "uniformity",
    "update_center",
    "vicreg_loss",
    "vjepa_loss",
    "warp",
    "wav2vec2_loss",
]
