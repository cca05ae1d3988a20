"""Audio-video contrastive learning: a clip finds its sound, and a sound its clip (Akbari et al., VATT, arXiv:2104.11178).

jssl pretrain --config configs/audio_video.py:small --workdir runs/audio_video
jssl evaluate --workdir runs/audio_video --protocols 'retrieval,knn,knn:features=audio&target=timbre'

small: ours, for two CPU cores: the synthetic clips with their sound, one second at 8 kHz as 64 frames of 64 bands. Crops are of
most of the frame, since height is heard. ``--config.method.segments=4`` tells parts of a clip apart, too.

vit_base: the paper and google-research/vatt, configs/experiment.py, dataset.py and loss.py: clips of 32 frames at 10 frames a
second, from anywhere in the 40 that are read, with their 3.2 seconds of sound, tubelets of 4 x 16 x 16, Adam at 1e-4, 5,000 steps
of warm-up, 500,000 steps of 2,048, similarities over 0.07, a common space of 512 channels. Their learning rate ends at 5e-5, here
it goes on to 0; their sound is noisy by 1 %, here between 20 and 40 dB; their data are HowTo100M and AudioSet, with words for a
third tower. Spectrograms are those of ``audio_mae``. For a TPU or GPU pod. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_clips("audio_video", data, batch_size=64, steps="4 epochs")
    config.method.video.augment = {"crop_scale": (0.8, 1.0), "interpolation": "bilinear"}
    config.method.spectrogram = {"window": 32.0, "hop": 15.625, "mels": 64}
    config.method.audio_encoder = config.method.encoder.copy_and_resolve_references()
    config.method.width = 64
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def vit_base(data):
    config = recipes.clips("audio_video", data, "vit_base", batch_size=2048, steps=500_000)
    config.method.encoder.tubelet = 4
    config.method.video = {"size": 224, "frames": 32, "augment": {"crop_scale": (0.5, 1.0)}}
    config.method.audio = {"noise": (20.0, 40.0)}
    config.method.audio_encoder = {
        "name": "vit_base",
        "patch_size": 16,
        "positions": "sincos",
        "class_token": False,
        "pool": "mean",
        "scan": True,
        "remat": "full",
    }
    config.method.largest_scale = config.method.scale = 1 / 0.07
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 1e-4, "weight_decay": 0.0, "warmup": 5000, "options": {"eps": 1e-7}}
    )
    return config


get_config = recipes.recipe((small, "clips_with_sound"), (vit_base, "kinetics_with_sound"))
