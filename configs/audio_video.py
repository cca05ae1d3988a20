"""Audio-video contrastive learning: a clip finds its sound, and a sound its clip (Akbari et al., VATT, arXiv:2104.11178).

jssl pretrain --config configs/audio_video.py:small --workdir runs/audio_video
jssl evaluate --workdir runs/audio_video --protocols 'retrieval,knn,knn:features=audio&label=timbre'

small: ours, for two CPU cores: the synthetic clips with their sound, one second at 8 kHz as 64 frames of 64 bands. Crops are of most
of the frame, since height is heard. ``--config.method.segments=4`` tells parts of a clip apart, too.

vit_base: the paper and google-research/vatt, configs/experiment.py, dataset.py and loss.py: clips of 32 frames at 10 frames a
second with their 3.2 seconds of sound, tubelets of 4 x 16 x 16, Adam at 1e-4, 5,000 steps of warm-up, 500,000 steps of 2,048,
similarities over 0.07, a common space of 512 channels. Their learning rate ends at 5e-5, here it goes on to 0; their sound is noisy
by 1 %, here between 20 and 40 dB; their data are HowTo100M and AudioSet, with words for a third tower. Spectrograms are those of
``audio_mae``. For a TPU or GPU pod. Not run here.
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


get_config = recipes.recipe((small, "clips_with_sound"))
