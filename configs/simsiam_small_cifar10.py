"""SimSiam, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/simsiam_small_cifar10.py --workdir runs/simsiam --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 61.5 %, linear 62.9 %; the same encoder at random
28.6 % and 34.8 %. RankMe 48 of 128. 2,586 steps of 128 by benchmarks/quality.py took 15.0 minutes on two cores (366
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("simsiam", batch_size=128, steps=2600)
    config.method.update({"projector": (256, 256), "predictor": (64, 256)})
    config.augmentation = {"blur": False}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 130})
    config.optimizer.constant_rate = "^predictor"
    return config
