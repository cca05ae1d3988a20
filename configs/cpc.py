"""Contrastive predictive coding: from what was heard so far, tell what comes next (van den Oord et al., arXiv:1807.03748).

small: ours, for two CPU cores: crops of half a second at 8 kHz as 51 frames, 10 ms apart, a GRU of width 128, 12 steps ahead, 32
negatives.

small,digits: the same on the Free Spoken Digit Dataset, whose split holds out the recordings 0 to 4 of each speaker and
digit.

gru256: crops of 1.28 seconds (20,480 samples) at 16 kHz, five convolutions of 256 channels with a layer norm each, a GRU of
width 256, 12 steps ahead, 128 negatives, Adam at 2e-4 without decay, batches of 64 (8 on each of 8 GPUs): section 3.1 of the
paper and facebookresearch/CPC_audio, cpc/cpc_default_config.py (Riviere et al., arXiv:2002.02848), with its 200 epochs; the
context network is an LSTM and the predictors are transformers by default there. For one accelerator with eight devices. Not
run here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_waves("cpc", data, batch_size=32, steps="20 epochs")
    config.method.encoder = {"name": "wave_gru", "layers": recipes.SMALL_FRAMES, "width": 128}
    config.method.update({"steps_ahead": 12, "negatives": 32})
    return config


def gru256(data):
    config = recipes.start("cpc", data, batch_size=64, steps="200 epochs")
    config.method.audio = {"samples": 20_480}
    config.method.encoder = {"name": "wave_gru", "width": 256}
    config.optimizer.update({"name": "adamw", "learning_rate": 2e-4, "weight_decay": 0.0, "warmup": "1 epoch"})
    config.run.update({"hardware": "v5e:2x4", "eval_every": 10_000, "checkpoint_every": 5000})
    return config


get_config = recipes.recipe((small, "sounds", "digits"), (gru256, "librispeech"))
