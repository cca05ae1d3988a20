"""Encoders and what sits on them: flax.linen modules, pure ``init`` and ``apply``, parameters as plain nested dicts."""

from jssl.models.action_predictor import ActionPredictor
from jssl.models.audio.frame_transformer import FrameTransformer
from jssl.models.audio.gru import FrameGRU
from jssl.models.audio.quantizer import GumbelQuantizer
from jssl.models.audio.wave_encoder import WaveEncoder
from jssl.models.dense_decoder import DenseDecoder
from jssl.models.features import Features
from jssl.models.flow_decoder import FlowDecoder
from jssl.models.heads import MLP, DINOHead, Prototypes
from jssl.models.ijepa import IJEPAPredictor, VJEPA21Predictor
from jssl.models.mae import MAEDecoder
from jssl.models.resnet import ResNet
from jssl.models.token_transformer import TokenTransformer
from jssl.models.transformer import Transformer
from jssl.models.vit import ViT

__all__ = [
    "MLP",
    "ActionPredictor",
    "DINOHead",
    "DenseDecoder",
    "Features",
    "FlowDecoder",
    "FrameGRU",
    "FrameTransformer",
    "GumbelQuantizer",
    "IJEPAPredictor",
    "MAEDecoder",
    "Prototypes",
    "ResNet",
    "TokenTransformer",
    "Transformer",
    "VJEPA21Predictor",
    "ViT",
    "WaveEncoder",
]
