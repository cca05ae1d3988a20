"""Methods by name: ``build("simclr", spec=source.spec, about=source.about)``."""

from jssl.methods import supervised
from jssl.methods.audio import apc, cpc, wav2vec2
from jssl.methods.contrastive import align_uniform, moco, moco_v3, simclr, spectral, sup_con
from jssl.methods.distillation import dino, dinov2, ibot, swav
from jssl.methods.language import causal_lm, masked_lm
from jssl.methods.masked import ajepa, audio_mae, data2vec, data2vec_audio, denoising, ijepa, mae
from jssl.methods.method import Aux, Method, Readout, mean_over_micro_batches, weights
from jssl.methods.pairs import audio_video, clip, siglip
from jssl.methods.pretext import colorization, jigsaw, relative_position, rotation
from jssl.methods.registry import REGISTRY, Entry, build, complete_options, find, lengths, register
from jssl.methods.siamese import barlow_twins, byol, lejepa, simsiam, vicreg
from jssl.methods.video import ac_jepa, mc_jepa, videomae, vjepa, vjepa2_1

__all__ = [
    "REGISTRY",
    "Aux",
    "Entry",
    "Method",
    "Readout",
    "ac_jepa",
    "ajepa",
    "align_uniform",
    "apc",
    "audio_mae",
    "audio_video",
    "barlow_twins",
    "build",
    "byol",
    "causal_lm",
    "clip",
    "colorization",
    "complete_options",
    "cpc",
    "data2vec",
    "data2vec_audio",
    "denoising",
    "dino",
    "dinov2",
    "find",
    "ibot",
    "ijepa",
    "jigsaw",
    "lejepa",
    "lengths",
    "mae",
    "masked_lm",
    "mc_jepa",
    "mean_over_micro_batches",
    "moco",
    "moco_v3",
    "register",
    "relative_position",
    "rotation",
    "siglip",
    "simclr",
    "simsiam",
    "spectral",
    "sup_con",
    "supervised",
    "swav",
    "vicreg",
    "videomae",
    "vjepa",
    "vjepa2_1",
    "wav2vec2",
    "weights",
]
