"""Audio-MAE: reconstruct the masked patches of a spectrogram from the visible fifth (Huang et al., arXiv:2207.06405).

jssl pretrain --config configs/audio_mae.py:small,digits --config.data.source='audio:recordings.tar.gz?...' --workdir runs/audio_mae

small: ours, for two CPU cores: crops of half a second at 8 kHz as 64 frames of 64 bands, 8 ms apart, in patches of 8, on the
network of ``mae:small``. Half of the spoken digits are shorter than 0.42 s: of a whole second more than half of the patches
would be silence.

small,digits: the same on the Free Spoken Digit Dataset, whose split holds out the recordings 0 to 4 of each speaker and digit.

vit_base: 10.24 seconds at 16 kHz as 1,024 frames of 128 bands, windows of 25 ms, 10 ms apart, in patches of 16; 80 % masked,
AdamW (0.9, 0.95), 2e-4 x batch / 256, weight decay 1e-4, 3 epochs of warm-up: the paper and its table of hyperparameters,
and facebookresearch/AudioMAE, pretrain_audioset2M.sh and main_pretrain.py; batch 512, 32 epochs: the paper, which reports a mean
average precision of 47.3 after fine-tuning on AudioSet. Their decoder attends within shifted windows, this one everywhere; their
spectrograms are normalised by the mean and deviation of AudioSet, these by their own. For a TPU or GPU pod. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.start("audio_mae", data, batch_size=64, steps="14.4 epochs")
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
    config.method.decoder = {"width": 64, "depth": 1, "heads": 4}
    config.dtype = "float32"
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    config.run.update({"eval_every": "12.5 %", "checkpoint_every": "25 %"})
    return config


def vit_base(data):
    config = recipes.start("audio_mae", data, batch_size=512, steps="32 epochs")
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
            "learning_rate": 2e-4 * 512 / 256,
            "weight_decay": 1e-4,
            "warmup": "3 epochs",
            "options": {"b2": 0.95},
        }
    )
    config.run.update({"hardware": "v5e:4x4", "eval_every": 10_000, "checkpoint_every": 5000})
    return config


get_config = recipes.recipe((small, "sounds", "digits"), (vit_base, "audioset"))
