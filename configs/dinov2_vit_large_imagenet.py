"""DINOv2, ViT-L/16, ImageNet-1k, 100 epochs, for a TPU or GPU pod.

jssl pretrain --config configs/dinov2_vit_large_imagenet.py --workdir runs/dinov2 --config.data.source='tfds:imagenet2012'

Hyperparameters: DINOv2's ImageNet-1k configuration (arXiv:2304.07193): learning rate 4e-3 at batch 1,024 with square-
root scaling, layer-wise decay 0.9, LayerScale 1e-5, drop path 0.3; registers from arXiv:2309.16588. Not yet measured
here.
"""

from jssl.recipes import vit_imagenet


def get_config():
    config = vit_imagenet("dinov2", "vit_large", batch_size=2048, epochs=100)
    epoch = config.steps // 100
    config.method.update({"prototypes": 65536, "bottleneck": 256, "teacher_temperature_warmup_steps": 30 * epoch})
    config.optimizer.update({
        "name": "adamw", "learning_rate": 4e-3 * (2048 / 1024) ** 0.5, "weight_decay": 0.04, "weight_decay_end": 0.4,
        "warmup_steps": 10 * epoch, "learning_rate_end": 1e-6, "clip_norm": 3.0, "freeze": "last_layer", "freeze_steps": epoch,
        "options": {"layer_decay": 0.9, "num_layers": 24},
    })  # fmt: skip
    config.encoder.update({"registers": 4, "layer_scale": 1e-5, "drop_path": 0.3})
    config.fsdp = 8
    config.teacher.momentum = 0.992
    return config
