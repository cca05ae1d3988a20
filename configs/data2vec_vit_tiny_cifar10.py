"""data2vec, ViT-Ti with 4-pixel patches, CIFAR-10, 400 epochs, for one accelerator.

jssl pretrain --config configs/data2vec_vit_tiny_cifar10.py --workdir runs/data2vec --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: Adam, learning rate 2e-3 at batch 2,048 scaled to 1,024, 60 % masked in blocks, top 6 blocks, beta 2:
the paper for ViT-B (arXiv:2202.03555, section 4), whose teacher momentum of 0.9998 is shortened here with the run;
weight decay 0.05 and clip 3: its code (facebookresearch/data2vec_vision). No colour jitter. Not yet measured here.
"""

from jssl.recipes import vit_tiny_cifar10


def get_config():
    config = vit_tiny_cifar10("data2vec", batch_size=1024, epochs=400)
    epoch = config.steps // 400
    config.method.min_block = 4  # of 64 patches, where the paper has 16 of 196
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 1e-3, "weight_decay": 0.05, "warmup_steps": 40 * epoch, "clip_norm": 3.0}
    )
    config.teacher.update({"momentum": 0.998, "momentum_end": 0.9998})
    return config
