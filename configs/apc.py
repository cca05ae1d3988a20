"""Autoregressive predictive coding: say what the log-mel frame a few steps ahead will be (Chung et al., arXiv:1904.03240).

small: ours, for two CPU cores: crops of half a second at 8 kHz as 51 frames of 40 bands, two GRU layers of width 128,
three steps ahead.

small,digits: the same on the Free Spoken Digit Dataset, whose split holds out the recordings 0 to 4 of each speaker and
digit.

gru512: 80 bands, 10 ms apart, three layers of width 512, Adam at 1e-4, gradients clipped at 1, batches of 32, 100 epochs, on
the 360 hours of LibriSpeech: the defaults of iamyuanchung/Autoregressive-Predictive-Coding, train_apc.py, with the residual
connections that are an option there; three steps ahead: the paper. Sounds are windows of 15.6 seconds here. For one
accelerator with four devices. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_waves("apc", data, batch_size=32, steps="20 epochs")
    config.method.spectrogram = {"mels": 40}
    config.method.encoder = {"name": "gru", "width": 128, "depth": 2}
    config.method.steps_ahead = 3
    return config


def gru512(data):
    config = recipes.start("apc", data, batch_size=32, steps="100 epochs")
    config.method.spectrogram = {"mels": 80}
    config.method.encoder = {"name": "gru", "width": 512, "depth": 3}
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 1e-4, "weight_decay": 0.0, "warmup": "1 epoch", "clip_norm": 1.0}
    )
    config.run.update({"hardware": "v5e:2x2", "eval_every": 10_000, "checkpoint_every": 5000})
    return config


get_config = recipes.recipe((small, "sounds", "digits"), (gru512, "librispeech"))
