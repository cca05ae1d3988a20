"""SimCLR: two views of a picture attract, all other views of the batch repel (Chen et al., arXiv:2002.05709).

jssl pretrain --config configs/simclr.py:small,cifar10 --workdir runs/simclr

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, a narrow projector, a colder
softmax than the paper's 0.5 for CIFAR-10. What was tried: docs/experiments.md.

small,photos: the same network for a folder of a few thousand photos on a laptop, 100 epochs of crops of 96 pixels, which it
halves twice before its first stage. Ours; docs/results.md has a short run of it.

resnet18: lightly's CIFAR-10 benchmark (docs/source/getting_started/benchmarks/cifar10_benchmark.py; published k-NN accuracy
84.8 %, after 87 minutes on one GPU): SGD 0.06 x batch / 128, momentum 0.9, weight decay 5e-4, cosine, batch 512, no blur,
temperature 0.5, projector 512-512-128.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("simclr", data, batch_size=128, steps="6.8 epochs")
    config.method.update({"temperature": 0.2, "projector": (256, 64)})
    recipes.image(config, augment={"strength": 0.5, "blur": False, "crop_scale": (0.2, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "4.2 %"})
    return recipes.photos(config, epochs=100) if data == "photos" else config


def resnet18(data):
    config = recipes.resnet18("simclr", data, batch_size=512, epochs=200)
    config.method.update({"temperature": 0.5, "projector": (512, 128)})
    recipes.image(config, augment={"strength": 0.5, "blur": False})
    config.optimizer.update({"name": "sgd", "learning_rate": 0.06 * 512 / 128, "weight_decay": 5e-4})
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10", "photos"), (resnet18, "cifar10"))
