"""MAE, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/mae_small_cifar10.py --workdir runs/mae --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 47.5 %, linear 56.0 %; the same encoder at random
34.4 % and 45.1 %. RankMe 33 of 128. 2,200 steps of 64 took 23.5 minutes on two cores shared with other work (114
images/s). As many images in 1,100 steps of 128 reached 46.1 % and 54.6 %. On the synthetic shapes 74.6 % k-NN after 3
minutes (untrained 22.7 %).
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("mae", batch_size=64, steps=2200)
    config.method.update({"decoder_width": 64, "decoder_depth": 1, "decoder_heads": 4})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    return config
