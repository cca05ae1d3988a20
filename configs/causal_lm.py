"""Causal language modelling (Radford et al. 2019, GPT-2).

small: four blocks of width 128 for two CPU cores, on the embedded stories or on tiny Shakespeare by characters. The model,
the context of 64, the batch of 12 and the 2,000 steps are those that nanoGPT's README gives for a laptop
(github.com/karpathy/nanoGPT, "train_shakespeare_char" on a CPU, which ends at a validation loss of 1.88), and so are warm-up,
b2 and clip (its config/train_shakespeare_char.py and train.py). Theirs has no biases, and AdamW at 1e-3 where this has Muon,
the small recipes' optimiser; docs/results.md has both.

gpt2: GPT-2 small, 124M parameters, context 1,024: batch 480 of 1,024 tokens, AdamW 6e-4 to 6e-5, 2,000 steps of warm-up,
weight decay 0.1, b2 0.95, clip 1, 600,000 steps: nanoGPT's config/train_gpt2.py. Bytes in place of its 50,257 pieces, unless
the data name a tokenizer. Blocks are computed again in the backward pass, so that it fits its 16 chips. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.start("causal_lm", data, batch_size=12, steps=2000)
    config.method.encoder = {"name": "transformer", "width": 128, "depth": 4, "heads": 4}
    config.dtype = "float32"
    config.optimizer.update(
        {
            "name": "muon",
            "learning_rate": 5e-3,
            "warmup": 100,
            "weight_decay": 0.02,
            "clip_norm": 1.0,
            "options": {"b2": 0.99},
        }
    )
    config.run.update({"log_every": 50, "eval_every": "25 %", "checkpoint_every": "25 %"})
    return config


def gpt2(data):
    config = recipes.start("causal_lm", data, batch_size=480, steps=600_000)
    config.method.encoder = {
        "name": "transformer",
        "width": 768,
        "depth": 12,
        "heads": 12,
        "scan": True,
        "remat": "full",
    }
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 6e-4,
            "learning_rate_end": 6e-5,
            "warmup": 2000,
            "weight_decay": 0.1,
            "clip_norm": 1.0,
            "options": {"b2": 0.95},
        }
    )
    config.run.update({"hardware": "v5e:4x4", "eval_every": 5000, "checkpoint_every": 5000})
    return config


get_config = recipes.recipe((small, "stories", "shakespeare"), (gpt2, "books"))
