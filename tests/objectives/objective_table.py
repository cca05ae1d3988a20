"""The table that the contract suite runs over: one row per objective (and per option that changes its code path)."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import numpy as np

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


def _vectors(count, *more):
    def make(generator, batch):
        arrays = tuple(generator.normal(size=(batch, 8)).astype(np.float32) for _ in range(count))
        return arrays + tuple(generator.normal(size=shape).astype(np.float32) for shape in more)

    return make


def _dino(generator, batch):
    student, teacher = generator.normal(size=(4, batch, 12)), generator.normal(size=(2, batch, 12))
    return tuple(x.astype(np.float32) for x in (student, teacher, generator.normal(size=12)))


def _mae(generator, batch):
    prediction, target = generator.normal(size=(2, batch, 9, 12)).astype(np.float32)
    mask = np.argsort(generator.normal(size=(batch, 9)), axis=1) < 6
    return prediction, target, mask.astype(np.float32)


def _denoising_loss(prediction, target, weights, *, axis_name=None):
    return objectives.denoising_loss(prediction, target, weights=weights, axis_name=axis_name)


def _jepa(generator, batch):
    return tuple((2.0 * generator.normal(size=(2, batch, 4, 3, 8))).astype(np.float32))


def _jepa_weighted(generator, batch):
    # The first token always counts, the others for some examples only.
    weights = generator.uniform(size=(batch, 4, 3)) < 0.6
    weights[:, 0, 0] = True
    return *_jepa(generator, batch), weights.astype(np.float32)


def _vjepa(generator, batch):
    """Prediction and target of a mask of four tokens, and of one of three."""
    tokens = (2.0 * generator.normal(size=(2, batch, count, 8)) for count in (4, 3))
    return tuple(array.astype(np.float32) for pair in tokens for array in pair)


def _vjepa_weighted(generator, batch):
    first, second = generator.uniform(0.5, 1.0, size=(batch, 4)), generator.uniform(size=(batch, 3)) < 0.6
    second[:, :2] = True
    return *_vjepa(generator, batch), first.astype(np.float32), second.astype(np.float32)


def _vjepa_loss(z1, h1, z2, h2, *weights, **options):
    return objectives.vjepa_loss([z1, z2], [h1, h2], weights=weights or None, **options)


def _probabilities(generator, *shape):
    return generator.dirichlet(np.ones(shape[-1]), size=shape[:-1]).astype(np.float32)


def _swav(generator, batch):
    return generator.normal(size=(4, batch, 12)).astype(np.float32), _probabilities(generator, 2, batch, 12)


def _dinov2(generator, batch):
    return generator.normal(size=(3, batch, 12)).astype(np.float32), _probabilities(generator, 2, batch, 12)


def _ibot(generator, batch):
    student = generator.normal(size=(batch, 9, 12)).astype(np.float32)
    mask = generator.uniform(size=(batch, 9)) < 0.4
    mask[1:2] = False
    return student, _probabilities(generator, batch, 9, 12), mask.astype(np.float32)


def _weighted_jepa_loss(prediction, target, weights, *, axis_name=None):
    return objectives.jepa_loss(prediction, target, weights=weights, beta=0.5, axis_name=axis_name)


def _queue_loss(queries, keys, negatives, *, axis_name=None):
    return objectives.info_nce(queries, keys, negatives=negatives, temperature=0.2, axis_name=axis_name)


def _labelled(generator, batch):
    # Three classes: some examples share theirs, some do not.
    return *_vectors(2)(generator, batch), generator.integers(3, size=batch).astype(np.int32)


def _classified(generator, batch):
    return generator.normal(size=(batch, 8)).astype(np.float32), generator.integers(8, size=batch).astype(np.int32)


def _classified_positions(generator, batch):
    """Logits, labels and weights of three positions per example, some of them to be ignored."""
    logits, labels = generator.normal(size=(batch, 3, 5)).astype(np.float32), generator.integers(5, size=(batch, 3))
    weights = generator.uniform(size=(batch, 3)) * (generator.uniform(size=(batch, 3)) < 0.7)
    return logits, labels.astype(np.int32), weights.astype(np.float32)


def _soft_targets(generator, batch):
    logits, targets = generator.normal(size=(2, batch, 3, 5)).astype(np.float32)
    targets = np.exp(3.0 * targets)
    return logits, targets / targets.sum(axis=-1, keepdims=True)


def _weighted_cross_entropy_loss(logits, labels, weights, *, axis_name=None):
    return objectives.cross_entropy_loss(logits, labels, label_smoothing=0.1, weights=weights, axis_name=axis_name)


def _language(generator, batch):
    """Features of three positions per example, the embedding of five tokens, targets, and weights of which some are 0."""
    features, embedding = generator.normal(size=(batch, 3, 8)), generator.normal(size=(5, 8))
    _, targets, weights = _classified_positions(generator, batch)
    return features.astype(np.float32), embedding.astype(np.float32), targets, weights


def _hidden_tokens(generator, batch):
    """As those of `_language`, and the places of two of the three positions, of which the first always counts."""
    features, embedding, targets, weights = _language(generator, batch)
    positions = np.argsort(generator.uniform(size=(batch, 3)), axis=1)[:, :2].astype(np.int32)
    weights[:, 0] = 1.0
    return features, embedding, positions, targets[:, :2], weights[:, :2]


def _pairs(generator, batch):
    image, text = generator.normal(size=(2, batch, 8))
    image, text = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (image, text))
    return tuple(x.astype(np.float32) for x in (image, text, np.array(10.0)))


def _clip_loss(image, text, logit_scale, **options):
    return objectives.clip_loss(image, text, logit_scale=logit_scale, **options)


def _siglip_loss(image, text, logit_scale, logit_bias, **options):
    return objectives.siglip_loss(image, text, logit_scale=logit_scale, logit_bias=logit_bias, **options)


def _frames(generator, batch):
    """Predictions and targets of six frames, and weights of which some are 0."""
    prediction, target = generator.normal(size=(2, batch, 6, 8)).astype(np.float32)
    weights = generator.uniform(size=(batch, 6)) * (generator.uniform(size=(batch, 6)) < 0.7)
    return prediction, target, weights.astype(np.float32)


def _masked_frames(generator, batch):
    """Frames of which the last has the code of the first, with four distractors each."""
    context, quantized, weights = _frames(generator, batch)
    quantized[:, -1] = quantized[:, 0]
    return context, quantized, generator.integers(6, size=(batch, 6, 4)).astype(np.int32), weights


def _frames_ahead(generator, batch):
    """Predictions of two steps ahead from four frames, and five negatives."""
    _, targets, weights = _frames(generator, batch)
    predictions, negatives = generator.normal(size=(batch, 2, 4, 8)), generator.normal(size=(batch, 4, 5, 8))
    return (4.0 * predictions).astype(np.float32), targets, negatives.astype(np.float32), weights


def _codes(generator, batch):
    """Of two groups of five codes, the last ones more often than the first."""
    probabilities = _probabilities(generator, batch, 6, 2, 5) * np.arange(1, 6, dtype=np.float32) ** 3
    return probabilities / probabilities.sum(-1, keepdims=True), _frames(generator, batch)[-1]


def _two_frames(generator, batch):
    """Two frames of 5 x 6 pixels, the flow between them, and weights of which some are 0."""
    first, second = generator.uniform(size=(2, batch, 5, 6, 3))
    flow, weights = generator.normal(size=(batch, 5, 6, 2)), generator.integers(2, size=(batch, 5, 6))
    return tuple(x.astype(np.float32) for x in (first, second, flow, weights))


def _two_flows(generator, batch):
    return tuple(generator.normal(size=(2, batch, 5, 6, 2)).astype(np.float32))


def _photometric_loss(first, second, flow, weights, *, axis_name=None):
    return objectives.photometric_loss(first, second, flow, weights=weights, axis_name=axis_name)


def _views(generator, batch):
    return (generator.normal(size=(4, batch, 8)).astype(np.float32),)


def _keyed(loss, **options):
    """A loss along directions that every device draws from one key."""

    def with_key(*arrays, axis_name=None):
        return loss(*arrays, key=jax.random.key(5), num_slices=16, axis_name=axis_name, **options)

    return with_key


_dino_loss = functools.partial(objectives.dino_loss, student_temperature=0.1, teacher_temperature=0.04)

TABLE = {
    "info_nce": Row(
        functools.partial(objectives.info_nce, temperature=0.2),
        _vectors(2),
        (0, 0),
        (0, 1),
        mean_over_examples=False,
        products=True,
    ),
    "info_nce queue": Row(_queue_loss, _vectors(2, (6, 8)), (0, 0, None), (0,), (1, 2), products=True),
    "nt_xent": Row(
        functools.partial(objectives.nt_xent, temperature=0.2),
        _vectors(2),
        (0, 0),
        (0, 1),
        swap=(1, 0),
        mean_over_examples=False,
        products=True,
    ),
    "nt_xent blocks": Row(  # 3 divides no number of anchors below, so that padding is met
        functools.partial(objectives.nt_xent, temperature=0.2, block_size=3),
        _vectors(2),
        (0, 0),
        (0, 1),
        swap=(1, 0),
        mean_over_examples=False,
        products=True,
    ),
    "clip_loss": Row(
        _clip_loss, _pairs, (0, 0, None), (0, 1, 2), swap=(1, 0, 2), mean_over_examples=False, products=True
    ),
    "siglip_loss": Row(
        _siglip_loss,
        lambda *args: (*_pairs(*args), np.array(-5.0, np.float32)),
        (0, 0, None, None),
        (0, 1, 2, 3),
        swap=(1, 0, 2, 3),
        mean_over_examples=False,
        products=True,
    ),
    "moco_v3_loss": Row(
        functools.partial(objectives.moco_v3_loss, temperature=0.2),
        _vectors(4),
        (0, 0, 0, 0),
        (0, 1),
        (2, 3),
        swap=(1, 0, 3, 2),
        mean_over_examples=False,
        products=True,
    ),
    "dino_loss": Row(_dino_loss, _dino, (1, 1, None), (0,), (1, 2)),
    "mae_loss": Row(functools.partial(objectives.mae_loss, normalize_targets=False), _mae, (0, 0, 0), (0, 1)),
    "mae_loss normalized": Row(functools.partial(objectives.mae_loss, normalize_targets=True), _mae, (0, 0, 0), (0, 1)),
    "denoising_loss": Row(objectives.denoising_loss, lambda *args: _mae(*args)[:2], (0, 0), (0, 1), swap=(1, 0)),
    "denoising_loss weighted": Row(_denoising_loss, _mae, (0, 0, 0), (0, 1), (2,)),
    "jepa_loss": Row(objectives.jepa_loss, _jepa, (0, 0), (0,), (1,)),
    "jepa_loss weighted": Row(_weighted_jepa_loss, _jepa_weighted, (0, 0, 0), (0,), (1,)),
    "vjepa_loss": Row(_vjepa_loss, _vjepa, (0,) * 4, (0, 2), (1, 3), swap=(2, 3, 0, 1)),
    "vjepa_loss weighted": Row(
        functools.partial(_vjepa_loss, exponent=2.0, variance_weight=0.1), _vjepa_weighted, (0,) * 6, (0, 2), (1, 3)
    ),
    "photometric_loss": Row(objectives.photometric_loss, lambda *args: _two_frames(*args)[:3], (0,) * 3, (0, 1, 2)),
    "photometric_loss weighted": Row(_photometric_loss, _two_frames, (0,) * 4, (0, 1, 2)),
    "flow_smoothness_loss": Row(
        functools.partial(objectives.flow_smoothness_loss, edge=1.0),
        lambda *args: _two_frames(*args)[2:0:-1],
        (0, 0),
        (0,),
        (1,),
    ),
    "flow_consistency_loss": Row(objectives.flow_consistency_loss, _two_flows, (0, 0), (0, 1)),
    "gram_loss": Row(objectives.gram_loss, lambda *args: _mae(*args)[:2], (0, 0), (0,), (1,), products=True),
    "swav_loss": Row(functools.partial(objectives.swav_loss, temperature=0.1), _swav, (1, 1), (0,), (1,)),
    "dinov2_loss": Row(functools.partial(objectives.dinov2_loss, student_temperature=0.1), _dinov2, (1, 1), (0,), (1,)),
    "ibot_loss": Row(functools.partial(objectives.ibot_loss, student_temperature=0.1), _ibot, (0, 0, 0), (0,), (1,)),
    "koleo_loss": Row(objectives.koleo_loss, _vectors(1), (0,), (0,), mean_over_examples=False, products=True),
    "data2vec_loss": Row(functools.partial(objectives.data2vec_loss, beta=0.5), _mae, (0, 0, 0), (0,), (1,)),
    "data2vec_loss squared": Row(functools.partial(objectives.data2vec_loss, beta=None), _mae, (0, 0, 0), (0,), (1,)),
    "byol_loss": Row(objectives.byol_loss, _vectors(2), (0, 0), (0,), (1,)),
    "simsiam_loss": Row(objectives.simsiam_loss, _vectors(2), (0, 0), (0,), (1,)),
    "barlow_twins_loss": Row(
        objectives.barlow_twins_loss, _vectors(2), (0, 0), (0, 1), swap=(1, 0), mean_over_examples=False, products=True
    ),
    "vicreg_loss": Row(
        objectives.vicreg_loss, _vectors(2), (0, 0), (0, 1), swap=(1, 0), mean_over_examples=False, products=True
    ),
    "sigreg_loss": Row(
        _keyed(objectives.sigreg_loss), _vectors(1), (0,), (0,), mean_over_examples=False, products=True
    ),
    "lejepa_loss": Row(
        _keyed(objectives.lejepa_loss, num_global=2, weight=0.3),
        _views,
        (1,),
        (0,),
        mean_over_examples=False,
        products=True,
    ),
    "align_uniform_loss": Row(
        objectives.align_uniform_loss, _vectors(2), (0, 0), (0, 1), swap=(1, 0), mean_over_examples=False, products=True
    ),
    "spectral_contrastive_loss": Row(  # rows of 8 normal values: some are longer than the square root of 8, some not
        functools.partial(objectives.spectral_contrastive_loss, mu=8.0),
        _vectors(2),
        (0, 0),
        (0, 1),
        swap=(1, 0),
        mean_over_examples=False,
        products=True,
    ),
    "sup_con_loss": Row(
        functools.partial(objectives.sup_con_loss, temperature=0.2),
        _labelled,
        (0, 0, 0),
        (0, 1),
        swap=(1, 0, 2),
        mean_over_examples=False,
        products=True,
        labels=(2,),
    ),
    "cross_entropy_loss": Row(objectives.cross_entropy_loss, _classified, (0, 0), (0,), labels=(1,)),
    "cross_entropy_loss weighted": Row(
        _weighted_cross_entropy_loss,
        _classified_positions,
        (0, 0, 0),
        (0,),
        (2,),
        mean_over_examples=False,
        labels=(1,),
    ),
    "causal_lm_loss": Row(  # 5 divides no number of tokens below, so that padding is met
        functools.partial(objectives.causal_lm_loss, tile=5),
        _language,
        (0, None, 0, 0),
        (0, 1),
        (3,),
        mean_over_examples=False,
        products=True,
        labels=(2,),
    ),
    "wav2vec2_loss": Row(
        functools.partial(objectives.wav2vec2_loss, temperature=0.1),
        _masked_frames,
        (0, 0, 0, 0),
        (0, 1),
        (3,),
        mean_over_examples=False,
        products=True,
        labels=(2,),
    ),
    "code_diversity_loss": Row(objectives.code_diversity_loss, _codes, (0, 0), (0,), (1,), mean_over_examples=False),
    "cpc_loss": Row(
        objectives.cpc_loss, _frames_ahead, (0, 0, 0, 0), (0, 1, 2), (3,), mean_over_examples=False, products=True
    ),
    "apc_loss": Row(
        functools.partial(objectives.apc_loss, steps_ahead=2),
        _frames,
        (0, 0, 0),
        (0, 1),
        (2,),
        mean_over_examples=False,
    ),
    "masked_lm_loss": Row(
        functools.partial(objectives.masked_lm_loss, tile=5),
        _hidden_tokens,
        (0, None, 0, 0, 0),
        (0, 1),
        (4,),
        mean_over_examples=False,
        products=True,
        labels=(2, 3),
    ),
    "soft_cross_entropy_loss": Row(objectives.soft_cross_entropy_loss, _soft_targets, (0, 0), (0,), (1,)),
}

# Each loss that compares the whole batch, in blocks; on several devices its columns go round.
for _name in ("info_nce", "nt_xent", "clip_loss", "siglip_loss", "moco_v3_loss", "sup_con_loss"):
    _ring = functools.partial(TABLE[_name].function, exchange="ring", block_size=3)
    TABLE[f"{_name} ring"] = dataclasses.replace(TABLE[_name], function=_ring)
