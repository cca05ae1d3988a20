"""Masked language modelling (Devlin et al., BERT, arXiv:1810.04805).

small: the network, batch and optimiser of configs/causal_lm.py:small, on the same rows, so that the two can be compared; 15 % of
the tokens are hidden, as in the paper. Ours, for two CPU cores.

bert_base: BERT base, 110M parameters: batch 256, AdamW 1e-4, 10,000 steps of warm-up and a linear decay where this is a cosine,
weight decay 0.01, b2 0.999, 1,000,000 steps: the paper, appendix A.2. Rows are those of the data, 1,025 tokens, where BERT has 128
for nine tenths of its steps and 512 after; bytes in place of its 30,000 pieces, unless the data name a tokenizer; no dropout.
Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.start("masked_lm", data, batch_size=12, steps=2000)
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


def bert_base(data):
    config = recipes.start("masked_lm", data, batch_size=256, steps=1_000_000)
    config.method.encoder = {"name": "transformer", "width": 768, "depth": 12, "heads": 12, "scan": True}
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 1e-4, "warmup": 10_000, "weight_decay": 0.01, "options": {"b2": 0.999}}
    )
    config.run.update({"hardware": "v5e:8x8", "eval_every": 5000, "checkpoint_every": 5000})
    return config


get_config = recipes.recipe((small, "stories", "shakespeare"), (bert_base, "books"))
