"""DINOv2, ViT-L/16, ImageNet-1k, 200 epochs, for a TPU or GPU pod.

jssl pretrain --config configs/dinov2_vit_large_imagenet.py --workdir runs/dinov2 --config.data.source='tfds:imagenet2012'

Hyperparameters: facebookresearch/dinov2, dinov2/configs/ssl_default_config.yaml with train/vitl16_short.yaml, whose 100
epochs of 1,250 steps are 200 of ImageNet-1k (it reports 81.6 % k-NN and 82.9 % linear). Unlike there, there are
registers (arXiv:2309.16588). Not yet measured here.
"""

from jssl.recipes import vit_imagenet


def get_config():
    config = vit_imagenet("dinov2", "vit_large", batch_size=2048, epochs=200)
    epoch = config.steps // 100  # DINOv2's, of 1,250 steps
    config.method.update(
        {
            "prototypes": 65536,
            "bottleneck": 256,
            "teacher_temperature_warmup_steps": 30 * epoch,
            "centering": "softmax",
            "shared_head": True,
        }
    )
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 4e-3 * (2048 / 1024) ** 0.5,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup_steps": 10 * epoch,
            "learning_rate_end": 1e-6,
            "clip_norm": 3.0,
            "freeze": "last_layer",
            "freeze_steps": epoch,
            "options": {"layer_decay": 0.9, "num_layers": 24, "groups": {"patch_embed": 0.2}},
        }
    )
    config.encoder.update({"registers": 4, "layer_scale": 1e-5, "drop_path": 0.3, "drop_path_uniform": True})
    config.fsdp = 8
    config.teacher.momentum = 0.992
    return config
