"""wav2vec 2.0: name the quantised frame behind a masked place among others (Baevski et al., arXiv:2006.11477).

small: ours, for two CPU cores: crops of half a second at 8 kHz as 51 frames, 10 ms apart, a transformer of width 128 and three
blocks, two groups of 64 codes. The temperature of the codes falls over the first half of the run.

small,digits: the same on the Free Spoken Digit Dataset, whose split holds out the recordings 0 to 4 of each speaker and
digit.

base: crops of 15.6 seconds (250,000 samples) at 16 kHz, 12 blocks of width 768, two groups of 320 codes, 100 negatives, masks
of span 10, Adam (0.9, 0.98, 1e-6) with weight decay 0.01, 5e-4 after 32,000 steps of warm-up, 400,000 steps, temperature from
2 to 0.5 by 0.999995 a step, which takes 277,259, gradients of the convolutions times 0.1, weights 0.1 and 10 of diversity and
feature penalty: the paper and facebookresearch/fairseq, examples/wav2vec/config/pretraining/wav2vec2_base_librispeech.yaml.
There 64 GPUs hold 1.4 million samples each, 1.6 hours of speech a step; 384 crops are 1.7 hours. The learning rate falls as a
cosine where theirs falls linearly, waves have unit variance, blocks normalise before they add, and there is no dropout. For a
TPU or GPU pod. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_waves("wav2vec2", data, batch_size=32, steps="20 epochs")
    config.method.encoder = {
        "name": "wave_transformer",
        "layers": recipes.SMALL_FRAMES,
        "width": 128,
        "depth": 3,
        "heads": 4,
        "kernel": 16,
        "groups": 8,
        "convolution_gradient": 0.1,
    }
    config.method.codes = {"entries": 64, "width": 64, "anneal": "50 %"}
    config.method.update({"width": 64, "negatives": 20})
    return config


def base(data):
    config = recipes.start("wav2vec2", data, batch_size=384, steps=400_000)
    config.method.audio = {"samples": 250_000}
    config.method.codes = {"anneal": "69.3 %"}
    config.method.encoder = {
        "name": "wave_transformer",
        "width": 768,
        "depth": 12,
        "heads": 12,
        "convolution_gradient": 0.1,
        "scan": True,
    }
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 5e-4,
            "warmup": "8 %",
            "weight_decay": 0.01,
            "options": {"b2": 0.98, "eps": 1e-6},
        }
    )
    config.run.update({"hardware": "v5e:8x8", "eval_every": 5000, "checkpoint_every": 5000})
    return config


get_config = recipes.recipe((small, "sounds", "digits"), (base, "librispeech"))
