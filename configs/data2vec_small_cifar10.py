"""data2vec, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/data2vec_small_cifar10.py --workdir runs/data2vec --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 49.0 %, linear 51.2 %; the same encoder at random
33.8 % and 44.9 %. RankMe 32 of 128. 4,991 steps of 32 by benchmarks/quality.py took 14.6 minutes on two cores (183
images/s).

On the synthetic shapes 48.1 % k-NN (untrained 23.3 %) and 88.1 % linear (87.2 %) after 733 steps, 2.7 minutes; RankMe
20.

It takes many steps and a slow teacher. Single runs on the shapes, online k-NN, as below but for what is named: 20.5,
29.8, 43.8 and 49.0 % after 250, 500, 750 and 1,000 steps; with batches of 64, 25.8 % after 400 with momentum 0.999 and
20.1 % after 500 with 0.99 (loss 0.02). With learned positions, LayerScale 0.1, patch_norm and block masks the loss
stays at the mean's 0.25 (31.5 % after 300 of 64). With patch_norm alone, momentum 0.9999, the encoder falls below the
untrained one: 30.9 % after 300, with the whole bank 35.3 against 38.7 %, linear 72 against 90 %.
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("data2vec", batch_size=32, steps=4990)
    config.image_size, config.eval_image_size = 24, 32
    # A grid of 6: single patches are hidden, and what all patches share is taken out of the targets.
    config.method.update(
        {"mask_ratio": 0.6, "min_block": 1, "max_block": 1, "top_blocks": 4, "normalize_layers": "instance"}
    )
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 499})
    config.teacher.update({"momentum": 0.9998, "momentum_end": 1.0})
    return config
