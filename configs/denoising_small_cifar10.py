"""Denoising autoencoder, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/denoising_small_cifar10.py --workdir runs/denoising --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 41.2 %, linear 48.7 %; the same encoder at random
33.8 % and 44.9 %. RankMe 36 of 128. 2,792 steps of 64 by benchmarks/quality.py took 14.9 minutes on two cores (201
images/s). On the synthetic shapes 59.2 % k-NN (untrained 23.3 %) and 98.0 % linear (87.2 %) after 481 steps, 3.0
minutes. Single runs there, online k-NN: 51.1 % after 450 steps; 36.1 % after 300 with 60 % masked and a decoder of
width 64. The small ResNet, which has to carry the whole picture on a map of 3 x 3, learns little: 34.6 % k-NN
(untrained 33.1 %), 73.8 % linear (62.9 %) after 399 steps of 128.
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("denoising", batch_size=64, steps=2790)
    config.image_size, config.eval_image_size = 24, 32
    config.method.update({"level": 0.7, "decoder_width": 16})
    config.augmentation.crop_scale = (0.4, 1.0)
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 279})
    return config
