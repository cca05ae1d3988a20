"""The table that the contract suite runs over: one row per objective (and per option that changes its code path)."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import numpy as np
import objective_arrays as draw

from jssl import objectives


@dataclasses.dataclass(frozen=True)
class Row:
    """How to call an objective, and what is promised of it."""

    function: Callable  # (*arrays, axis_name=None) -> scalar
    make: Callable  # (generator, batch) -> tuple of arrays
    batch_axes: tuple  # per array: its batch axis, None if it is the same on every device
    differentiable: tuple[int, ...]  # arrays that get a gradient
    stopped: tuple[int, ...] = ()  # arrays that must not
    swap: tuple[int, ...] | None = None  # an order of the arrays that leaves the value unchanged: is it symmetric?
    mean_over_examples: bool = True  # the mean of two half batches is the whole: accumulation is exact
    products: bool = False  # there are matrix products, whose precision must be asked for
    labels: tuple[int, ...] = ()  # integer arrays: they keep their dtype and their values, and have no gradient

    @functools.cached_property
    def value_and_grads(self):
        """Jitted loss and gradients of *all* arrays (None for labels), compiled once for the whole suite."""
        arguments = range(len(self.batch_axes))
        floats = tuple(i for i in arguments if i not in self.labels)

        def value_and_grads(*arrays):
            loss, grads = jax.value_and_grad(self.function, floats)(*arrays)
            of_float = dict(zip(floats, grads))
            return loss, tuple(of_float.get(i) for i in arguments)

        return jax.jit(value_and_grads)

    def map_floats(self, change, arrays):
        """change(x) of every array that is not a label."""
        return [x if i in self.labels else change(x) for i, x in enumerate(arrays)]


def _denoising_loss(prediction, target, weights, *, axis_name=None):
    return objectives.denoising_loss(prediction, target, weights=weights, axis_name=axis_name)


def _vjepa_loss(z1, h1, z2, h2, *weights, **options):
    return objectives.vjepa_loss([z1, z2], [h1, h2], weights=weights or None, **options)


def _weighted_jepa_loss(prediction, target, weights, *, axis_name=None):
    return objectives.jepa_loss(prediction, target, weights=weights, beta=0.5, axis_name=axis_name)


def _queue_loss(queries, keys, negatives, *, axis_name=None):
    return objectives.info_nce(queries, keys, negatives=negatives, temperature=0.2, axis_name=axis_name)


def _weighted_cross_entropy_loss(logits, labels, weights, *, axis_name=None):
    return objectives.cross_entropy_loss(logits, labels, label_smoothing=0.1, weights=weights, axis_name=axis_name)


def _clip_loss(image, text, logit_scale, **options):
    return objectives.clip_loss(image, text, logit_scale=logit_scale, **options)


def _siglip_loss(image, text, logit_scale, logit_bias, **options):
    return objectives.siglip_loss(image, text, logit_scale=logit_scale, logit_bias=logit_bias, **options)


def _photometric_loss(first, second, flow, weights, *, axis_name=None):
    return objectives.photometric_loss(first, second, flow, weights=weights, axis_name=axis_name)


def _keyed(loss, **options):
    """A loss along directions that every device draws from one key."""

    def with_key(*arrays, axis_name=None):
        return loss(*arrays, key=jax.random.key(5), num_slices=16, axis_name=axis_name, **options)

    return with_key


_dino_loss = functools.partial(objectives.dino_loss, student_temperature=0.1, teacher_temperature=0.04)

TABLE = {
    "info_nce": Row(
        functools.partial(objectives.info_nce, temperature=0.2),
        draw.vectors(2),
        (0, 0),
        (0, 1),
        mean_over_examples=False,
        products=True,
    ),
    "info_nce queue": Row(_queue_loss, draw.vectors(2, (6, 8)), (0, 0, None), (0,), (1, 2), products=True),
    "nt_xent": Row(
        functools.partial(objectives.nt_xent, temperature=0.2),
        draw.vectors(2),
        (0, 0),
        (0, 1),
        swap=(1, 0),
        mean_over_examples=False,
        products=True,
    ),
    "nt_xent blocks": Row(  # 3 divides no number of anchors below, so that padding is met
        functools.partial(objectives.nt_xent, temperature=0.2, block_size=3),
        draw.vectors(2),
        (0, 0),
        (0, 1),
        swap=(1, 0),
        mean_over_examples=False,
        products=True,
    ),
    "clip_loss": Row(
        _clip_loss, draw.pairs, (0, 0, None), (0, 1, 2), swap=(1, 0, 2), mean_over_examples=False, products=True
    ),
    "siglip_loss": Row(
        _siglip_loss,
        lambda *args: (*draw.pairs(*args), np.array(-5.0, np.float32)),
        (0, 0, None, None),
        (0, 1, 2, 3),
        swap=(1, 0, 2, 3),
        mean_over_examples=False,
        products=True,
    ),
    "moco_v3_loss": Row(
        functools.partial(objectives.moco_v3_loss, temperature=0.2),
        draw.vectors(4),
        (0, 0, 0, 0),
        (0, 1),
        (2, 3),
        swap=(1, 0, 3, 2),
        mean_over_examples=False,
        products=True,
    ),
    "dino_loss": Row(_dino_loss, draw.dino, (1, 1, None), (0,), (1, 2)),
    "mae_loss": Row(functools.partial(objectives.mae_loss, normalize_targets=False), draw.mae, (0, 0, 0), (0, 1)),
    "mae_loss normalized": Row(
        functools.partial(objectives.mae_loss, normalize_targets=True), draw.mae, (0, 0, 0), (0, 1)
    ),
    "denoising_loss": Row(objectives.denoising_loss, lambda *args: draw.mae(*args)[:2], (0, 0), (0, 1), swap=(1, 0)),
    "denoising_loss weighted": Row(_denoising_loss, draw.mae, (0, 0, 0), (0, 1), (2,)),
    "jepa_loss": Row(objectives.jepa_loss, draw.jepa, (0, 0), (0,), (1,)),
    "jepa_loss weighted": Row(_weighted_jepa_loss, draw.jepa_weighted, (0, 0, 0), (0,), (1,)),
    "vjepa_loss": Row(_vjepa_loss, draw.vjepa, (0,) * 4, (0, 2), (1, 3), swap=(2, 3, 0, 1)),
    "vjepa_loss weighted": Row(
        functools.partial(_vjepa_loss, exponent=2.0, variance_weight=0.1), draw.vjepa_weighted, (0,) * 6, (0, 2), (1, 3)
    ),
    "photometric_loss": Row(objectives.photometric_loss, lambda *args: draw.two_frames(*args)[:3], (0,) * 3, (0, 1, 2)),
    "photometric_loss weighted": Row(_photometric_loss, draw.two_frames, (0,) * 4, (0, 1, 2)),
    "flow_smoothness_loss": Row(
        functools.partial(objectives.flow_smoothness_loss, edge=1.0),
        lambda *args: draw.two_frames(*args)[2:0:-1],
        (0, 0),
        (0,),
        (1,),
    ),
    "flow_consistency_loss": Row(objectives.flow_consistency_loss, draw.two_flows, (0, 0), (0, 1)),
    "gram_loss": Row(objectives.gram_loss, lambda *args: draw.mae(*args)[:2], (0, 0), (0,), (1,), products=True),
    "swav_loss": Row(functools.partial(objectives.swav_loss, temperature=0.1), draw.swav, (1, 1), (0,), (1,)),
    "dinov2_loss": Row(
        functools.partial(objectives.dinov2_loss, student_temperature=0.1), draw.dinov2, (1, 1), (0,), (1,)
    ),
    "ibot_loss": Row(
        functools.partial(objectives.ibot_loss, student_temperature=0.1), draw.ibot, (0, 0, 0), (0,), (1,)
    ),
    "koleo_loss": Row(objectives.koleo_loss, draw.vectors(1), (0,), (0,), mean_over_examples=False, products=True),
    "data2vec_loss": Row(functools.partial(objectives.data2vec_loss, beta=0.5), draw.mae, (0, 0, 0), (0,), (1,)),
    "data2vec_loss squared": Row(
        functools.partial(objectives.data2vec_loss, beta=None), draw.mae, (0, 0, 0), (0,), (1,)
    ),
    "byol_loss": Row(objectives.byol_loss, draw.vectors(2), (0, 0), (0,), (1,)),
    "simsiam_loss": Row(objectives.simsiam_loss, draw.vectors(2), (0, 0), (0,), (1,)),
    "barlow_twins_loss": Row(
        objectives.barlow_twins_loss,
        draw.vectors(2),
        (0, 0),
        (0, 1),
        swap=(1, 0),
        mean_over_examples=False,
        products=True,
    ),
    "vicreg_loss": Row(
        objectives.vicreg_loss, draw.vectors(2), (0, 0), (0, 1), swap=(1, 0), mean_over_examples=False, products=True
    ),
    "sigreg_loss": Row(
        _keyed(objectives.sigreg_loss), draw.vectors(1), (0,), (0,), mean_over_examples=False, products=True
    ),
    "lejepa_loss": Row(
        _keyed(objectives.lejepa_loss, num_global=2, weight=0.3),
        draw.views,
        (1,),
        (0,),
        mean_over_examples=False,
        products=True,
    ),
    "align_uniform_loss": Row(
        objectives.align_uniform_loss,
        draw.vectors(2),
        (0, 0),
        (0, 1),
        swap=(1, 0),
        mean_over_examples=False,
        products=True,
    ),
    "spectral_contrastive_loss": Row(  # rows of 8 normal values: some are longer than the square root of 8, some not
        functools.partial(objectives.spectral_contrastive_loss, mu=8.0),
        draw.vectors(2),
        (0, 0),
        (0, 1),
        swap=(1, 0),
        mean_over_examples=False,
        products=True,
    ),
    "sup_con_loss": Row(
        functools.partial(objectives.sup_con_loss, temperature=0.2),
        draw.labelled,
        (0, 0, 0),
        (0, 1),
        swap=(1, 0, 2),
        mean_over_examples=False,
        products=True,
        labels=(2,),
    ),
    "cross_entropy_loss": Row(objectives.cross_entropy_loss, draw.classified, (0, 0), (0,), labels=(1,)),
    "cross_entropy_loss weighted": Row(
        _weighted_cross_entropy_loss,
        draw.classified_positions,
        (0, 0, 0),
        (0,),
        (2,),
        mean_over_examples=False,
        labels=(1,),
    ),
    "causal_lm_loss": Row(  # 5 divides no number of tokens below, so that padding is met
        functools.partial(objectives.causal_lm_loss, tile=5),
        draw.language,
        (0, None, 0, 0),
        (0, 1),
        (3,),
        mean_over_examples=False,
        products=True,
        labels=(2,),
    ),
    "wav2vec2_loss": Row(
        functools.partial(objectives.wav2vec2_loss, temperature=0.1),
        draw.masked_frames,
        (0, 0, 0, 0),
        (0, 1),
        (3,),
        mean_over_examples=False,
        products=True,
        labels=(2,),
    ),
    "code_diversity_loss": Row(
        objectives.code_diversity_loss, draw.codes, (0, 0), (0,), (1,), mean_over_examples=False
    ),
    "cpc_loss": Row(
        objectives.cpc_loss, draw.frames_ahead, (0, 0, 0, 0), (0, 1, 2), (3,), mean_over_examples=False, products=True
    ),
    "apc_loss": Row(
        functools.partial(objectives.apc_loss, steps_ahead=2),
        draw.frames,
        (0, 0, 0),
        (0, 1),
        (2,),
        mean_over_examples=False,
    ),
    "masked_lm_loss": Row(
        functools.partial(objectives.masked_lm_loss, tile=5),
        draw.hidden_tokens,
        (0, None, 0, 0, 0),
        (0, 1),
        (4,),
        mean_over_examples=False,
        products=True,
        labels=(2, 3),
    ),
    "soft_cross_entropy_loss": Row(objectives.soft_cross_entropy_loss, draw.soft_targets, (0, 0), (0,), (1,)),
}

# Each loss that compares the whole batch, in blocks; on several devices its columns go round.
for _name in ("info_nce", "nt_xent", "clip_loss", "siglip_loss", "moco_v3_loss", "sup_con_loss"):
    _ring = functools.partial(TABLE[_name].function, exchange="ring", block_size=3)
    TABLE[f"{_name} ring"] = dataclasses.replace(TABLE[_name], function=_ring)
