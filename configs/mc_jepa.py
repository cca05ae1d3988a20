"""MC-JEPA: optical flow without labels and VICReg on stills, one encoder for both (Bardes et al., arXiv:2307.12698).

jssl pretrain --config configs/mc_jepa.py:small --workdir runs/mc_jepa
jssl evaluate --workdir runs/mc_jepa --data synthetic_clips:flow=1 --protocols flow

small: ours, for two CPU cores and the synthetic clips, whose shapes move a pixel or two a frame: weights and rates are those that
find the flow of smaller clips (tests/train/test_flow_learns.py); there a smoothness of 5 leaves everything at rest. Features are
means over frames: they say what is seen, not how it moves.

resnet50: the paper's weights of the flow's losses (1, 75 and 0.2, as its public reimplementations have them, too), its VICReg (25,
25, 1, an expander of three layers of 8,192), and a flow decoder that compares 4 places either way, as PWC-Net does. Its ConvNeXt is
not here: batch, optimiser and rates are those of facebookresearch/vicreg for ResNet-50 (LARS, 0.2 for a batch of 256, weight decay
1e-6, 10 epochs of warm-up, a batch of 2,048), on neighbouring frames and stills of Kinetics, where the paper has frames of
FlyingThings, KITTI and Sintel and stills of ImageNet. For a TPU or GPU pod. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_clips("mc_jepa", data, batch_size=64, steps="8 epochs")
    config.method.encoder = {"name": "resnet", "stage_sizes": (1, 1, 1), "block": "basic", "width": 16, "stem": "cifar"}
    config.method.flow = {"width": 32, "depth": 2, "reach": 2}
    config.method.motion = {"photometric": 20.0, "smoothness": 2.0, "edge": 5.0}
    config.method.projector = (512, 512)
    config.method.video.augment = {"crop_scale": (0.5, 1.0), "interpolation": "bilinear", "blur_prob": 0.0}
    config.optimizer.update({"name": "adamw", "learning_rate": 1e-2, "weight_decay": 0.0, "warmup": "5 %"})
    return config


def resnet50(data):
    config = recipes.clips("mc_jepa", data, "resnet50", batch_size=2048, steps="100 epochs")
    config.method.encoder = {"name": "resnet50"}
    config.data.source = "video:data/kinetics?frames=16&image_size=256"
    config.optimizer.update(
        {"name": "lars", "learning_rate": 0.2 * 2048 / 256, "weight_decay": 1e-6, "warmup": "10 epochs"}
    )
    return config


get_config = recipes.recipe((small, "clips"), (resnet50, "kinetics"))
