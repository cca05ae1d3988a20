"""data2vec, ViT-B/16, ImageNet-1k, 800 epochs, for a TPU or GPU pod.

jssl pretrain --config configs/data2vec_vit_base_imagenet.py --workdir runs/data2vec --config.data.source='tfds:imagenet2012'

Hyperparameters: the data2vec paper, section 4 (arXiv:2202.03555): learning rate 2e-3, 60 % masked, top 6 blocks, beta
2, momentum 0.9998, drop path 0.2; it reports 84.2 % after fine-tuning. Weight decay, clip, LayerScale, crops, jitter:
facebookresearch/data2vec_vision, beit/README.md (with relative positions, learned ones here). Not yet measured here.
"""

from jssl.recipes import vit_imagenet


def get_config():
    config = vit_imagenet("data2vec", "vit_base", batch_size=2048, epochs=800)
    epoch = config.steps // 800
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 2e-3, "weight_decay": 0.05, "warmup_steps": 40 * epoch, "clip_norm": 3.0}
    )
    config.encoder.update({"drop_path": 0.2, "layer_scale": 1e-4})
    config.augmentation = {
        "crop_scale": (0.08, 1.0),
        "brightness": 0.4,
        "contrast": 0.4,
        "saturation": 0.4,
        "jitter_prob": 1.0,
    }
    config.teacher.update({"momentum": 0.9998, "momentum_end": 0.9998})
    return config
