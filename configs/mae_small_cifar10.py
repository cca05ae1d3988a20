"""MAE, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/mae_small_cifar10.py --workdir runs/mae --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 49.1 %, linear 57.9 %; the same encoder at random
34.4 % and 45.2 %. RankMe 34 of 128. 4,491 steps of 64 by benchmarks/quality.py took 16.0 minutes on two cores (301
images/s). 2,200 steps reached 47.5 % and 56.0 %, as many images in 1,100 steps of 128 46.1 % and 54.6 %. On the
synthetic shapes 74.6 % k-NN after 3 minutes (untrained 22.7 %).
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("mae", batch_size=64, steps=4490)
    config.method.update({"decoder_width": 64, "decoder_depth": 1, "decoder_heads": 4})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 204})
    return config
