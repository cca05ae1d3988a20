"""A-JEPA: I-JEPA on spectrograms, from random blocks to bands of time and frequency (Fei et al., arXiv:2311.15830).

jssl pretrain --config configs/ajepa.py:small,digits --workdir runs/ajepa

small: ours, for two CPU cores: the crops, spectrograms and network of ``audio_mae:small`` with what ``ijepa:small`` does to keep
targets apart (learned positions, patch_norm, LayerScale, a slow teacher). The share of bands grows from none to all over the
run. Not tuned.

small,digits: the same on the Free Spoken Digit Dataset, whose split holds out the recordings 0 to 4 of each speaker and
digit.

vit_base: no code of the authors is known to us, so this is I-JEPA on Audio-MAE's input. 10.24 seconds at 16 kHz as 1,024
frames of 128 bands in patches of 16, batch 512 and 32 epochs of AudioSet: Audio-MAE, arXiv:2207.06405. Blocks, AdamW at 1e-3
for a batch of 2,048, scaled to 512, weight decay 0.04 to 0.4, teacher momentum 0.996 to 1, linearly, predictor of depth 6 and width
384: I-JEPA, arXiv:2301.08243, appendix A. Three epochs of warm-up are Audio-MAE's, the curriculum's line from no bands to bands
alone is ours. For a TPU or GPU pod. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.start("ajepa", data, batch_size=64, steps="14.4 epochs")
    config.method.audio = {"samples": 4096}
    config.method.spectrogram = {"window": 32.0, "hop": 8.0, "mels": 64}
    config.method.encoder = {
        "name": "vit",
        "patch_size": 8,
        "width": 128,
        "depth": 5,
        "heads": 4,
        "positions": "learned",
        "class_token": False,
        "pool": "mean",
        "layer_scale": 0.1,
        "patch_norm": True,
    }
    config.method.predictor = {"width": 128, "depth": 2, "heads": 4}
    config.method.blocks = {"context_size": 26}  # of 64 patches
    config.method.bands = {"full": "100 %"}
    config.dtype = "float32"
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    config.ema.update({"momentum": 0.9999, "momentum_end": 1.0})
    config.run.update({"eval_every": "12.5 %", "checkpoint_every": "25 %"})
    return config


def vit_base(data):
    config = recipes.start("ajepa", data, batch_size=512, steps="32 epochs")
    config.method.encoder = {
        "name": "vit_base",
        "patch_size": 16,
        "positions": "sincos",
        "class_token": False,
        "pool": "mean",
        "scan": True,
    }
    config.method.bands = {"full": "100 %"}
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 1e-3 * 512 / 2048,
            "learning_rate_end": 1e-6,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup": "3 epochs",
        }
    )
    config.ema.schedule = "linear"
    config.run.update({"hardware": "v5e:8x8", "eval_every": 10_000, "checkpoint_every": 5000})
    return config


get_config = recipes.recipe((small, "sounds", "digits"), (vit_base, "audioset"))
