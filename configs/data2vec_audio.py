"""data2vec for sounds: predict an EMA encoder's last blocks at masked spans of time (Baevski et al., arXiv:2202.03555).

jssl pretrain --config configs/data2vec_audio.py:small,digits --workdir runs/data2vec_audio

small: ours, for two CPU cores: the crops, spectrograms and network of ``audio_mae:small``, so that a span is an eighth of a
second; the last four of its five blocks, and the slow teacher of ``data2vec:small``. Not tuned.

small,digits: the same on the Free Spoken Digit Dataset, whose split holds out the recordings 0 to 4 of each speaker and
digit.

vit_base: 12 blocks of width 768, the top 8 averaged, instance norm, squares, 49 % masked, teacher momentum from 0.999 to
0.9999, Adam (0.9, 0.98, 1e-6) with weight decay 0.01, 5e-4 after 3 % of 400,000 steps: the paper, section 4.2, and
facebookresearch/fairseq, examples/data2vec/config/audio/pretraining/base_librispeech.yaml. There 16 GPUs hold 3.8 million
samples each, 1.06 hours of speech a step; 256 crops of 15.5 seconds are 1.1 hours. Ours are the spectrogram of 128 bands, 10
ms apart, its patches of 16, and spans of two rows of these, 320 ms where the paper has 200; the learning rate falls as a
cosine where theirs stays and then falls, and the momentum rises over the whole run where theirs takes 30,000 steps. For a TPU
or GPU pod. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.start("data2vec_audio", data, batch_size=64, steps="14.4 epochs")
    config.method.audio = {"samples": 4096}
    config.method.spectrogram = {"window": 32.0, "hop": 8.0, "mels": 64}
    config.method.encoder = {
        "name": "vit",
        "patch_size": 8,
        "width": 128,
        "depth": 5,
        "heads": 4,
        "positions": "sincos",
        "class_token": False,
        "pool": "mean",
    }
    config.method.top_blocks = 4
    config.dtype = "float32"
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "10 %"})
    config.ema.update({"momentum": 0.9998, "momentum_end": 1.0})
    config.run.update({"eval_every": "12.5 %", "checkpoint_every": "25 %"})
    return config


def vit_base(data):
    config = recipes.start("data2vec_audio", data, batch_size=256, steps=400_000)
    config.method.audio = {"samples": 248_320}  # 1,552 frames, 97 rows of patches
    config.method.encoder = {
        "name": "vit_base",
        "patch_size": 16,
        "positions": "sincos",
        "class_token": False,
        "pool": "mean",
        "scan": True,
    }
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 5e-4,
            "warmup": "3 %",
            "weight_decay": 0.01,
            "options": {"b2": 0.98, "eps": 1e-6},
        }
    )
    config.ema.update({"momentum": 0.999, "momentum_end": 0.9999, "schedule": "linear"})
    config.run.update({"hardware": "v5e:8x8", "eval_every": 5000, "checkpoint_every": 5000})
    return config


get_config = recipes.recipe((small, "sounds", "digits"), (vit_base, "librispeech"))
