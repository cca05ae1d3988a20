"""Arrays that the contract suite calls the objectives with: (generator, batch) -> a tuple of them."""

import numpy as np


def vectors(count, *more):
    def make(generator, batch):
        arrays = tuple(generator.normal(size=(batch, 8)).astype(np.float32) for _ in range(count))
        return arrays + tuple(generator.normal(size=shape).astype(np.float32) for shape in more)

    return make


def dino(generator, batch):
    student, teacher = generator.normal(size=(4, batch, 12)), generator.normal(size=(2, batch, 12))
    return tuple(x.astype(np.float32) for x in (student, teacher, generator.normal(size=12)))


def mae(generator, batch):
    prediction, target = generator.normal(size=(2, batch, 9, 12)).astype(np.float32)
    mask = np.argsort(generator.normal(size=(batch, 9)), axis=1) < 6
    return prediction, target, mask.astype(np.float32)


def jepa(generator, batch):
    return tuple((2.0 * generator.normal(size=(2, batch, 4, 3, 8))).astype(np.float32))


def jepa_weighted(generator, batch):
    # The first token always counts, the others for some examples only.
    weights = generator.uniform(size=(batch, 4, 3)) < 0.6
    weights[:, 0, 0] = True
    return *jepa(generator, batch), weights.astype(np.float32)


def vjepa(generator, batch):
    """Prediction and target of a mask of four tokens, and of one of three."""
    tokens = (2.0 * generator.normal(size=(2, batch, count, 8)) for count in (4, 3))
    return tuple(array.astype(np.float32) for pair in tokens for array in pair)


def vjepa_weighted(generator, batch):
    first, second = generator.uniform(0.5, 1.0, size=(batch, 4)), generator.uniform(size=(batch, 3)) < 0.6
    second[:, :2] = True
    return *vjepa(generator, batch), first.astype(np.float32), second.astype(np.float32)


def probabilities(generator, *shape):
    return generator.dirichlet(np.ones(shape[-1]), size=shape[:-1]).astype(np.float32)


def swav(generator, batch):
    return generator.normal(size=(4, batch, 12)).astype(np.float32), probabilities(generator, 2, batch, 12)


def dinov2(generator, batch):
    return generator.normal(size=(3, batch, 12)).astype(np.float32), probabilities(generator, 2, batch, 12)


def ibot(generator, batch):
    student = generator.normal(size=(batch, 9, 12)).astype(np.float32)
    mask = generator.uniform(size=(batch, 9)) < 0.4
    mask[1:2] = False
    return student, probabilities(generator, batch, 9, 12), mask.astype(np.float32)


def labelled(generator, batch):
    # Three classes: some examples share theirs, some do not.
    return *vectors(2)(generator, batch), generator.integers(3, size=batch).astype(np.int32)


def classified(generator, batch):
    return generator.normal(size=(batch, 8)).astype(np.float32), generator.integers(8, size=batch).astype(np.int32)


def classified_positions(generator, batch):
    """Logits, labels and weights of three positions per example, some of them to be ignored."""
    logits, labels = generator.normal(size=(batch, 3, 5)).astype(np.float32), generator.integers(5, size=(batch, 3))
    weights = generator.uniform(size=(batch, 3)) * (generator.uniform(size=(batch, 3)) < 0.7)
    return logits, labels.astype(np.int32), weights.astype(np.float32)


def soft_targets(generator, batch):
    logits, targets = generator.normal(size=(2, batch, 3, 5)).astype(np.float32)
    targets = np.exp(3.0 * targets)
    return logits, targets / targets.sum(axis=-1, keepdims=True)


def language(generator, batch):
    """Features of three positions per example, the embedding of five tokens, targets, and weights of which some are 0."""
    features, embedding = generator.normal(size=(batch, 3, 8)), generator.normal(size=(5, 8))
    _, targets, weights = classified_positions(generator, batch)
    return features.astype(np.float32), embedding.astype(np.float32), targets, weights


def hidden_tokens(generator, batch):
    """As those of `language`, and the places of two of the three positions, of which the first always counts."""
    features, embedding, targets, weights = language(generator, batch)
    positions = np.argsort(generator.uniform(size=(batch, 3)), axis=1)[:, :2].astype(np.int32)
    weights[:, 0] = 1.0
    return features, embedding, positions, targets[:, :2], weights[:, :2]


def pairs(generator, batch):
    image, text = generator.normal(size=(2, batch, 8))
    image, text = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (image, text))
    return tuple(x.astype(np.float32) for x in (image, text, np.array(10.0)))


def frames(generator, batch):
    """Predictions and targets of six frames, and weights of which some are 0."""
    prediction, target = generator.normal(size=(2, batch, 6, 8)).astype(np.float32)
    weights = generator.uniform(size=(batch, 6)) * (generator.uniform(size=(batch, 6)) < 0.7)
    return prediction, target, weights.astype(np.float32)


def masked_frames(generator, batch):
    """Frames of which the last has the code of the first, with four distractors each."""
    context, quantized, weights = frames(generator, batch)
    quantized[:, -1] = quantized[:, 0]
    return context, quantized, generator.integers(6, size=(batch, 6, 4)).astype(np.int32), weights


def frames_ahead(generator, batch):
    """Predictions of two steps ahead from four frames, and five negatives."""
    _, targets, weights = frames(generator, batch)
    predictions, negatives = generator.normal(size=(batch, 2, 4, 8)), generator.normal(size=(batch, 4, 5, 8))
    return (4.0 * predictions).astype(np.float32), targets, negatives.astype(np.float32), weights


def codes(generator, batch):
    """Of two groups of five codes, the last ones more often than the first."""
    shares = probabilities(generator, batch, 6, 2, 5) * np.arange(1, 6, dtype=np.float32) ** 3
    return shares / shares.sum(-1, keepdims=True), frames(generator, batch)[-1]


def two_frames(generator, batch):
    """Two frames of 5 x 6 pixels, the flow between them, and weights of which some are 0."""
    first, second = generator.uniform(size=(2, batch, 5, 6, 3))
    flow, weights = generator.normal(size=(batch, 5, 6, 2)), generator.integers(2, size=(batch, 5, 6))
    return tuple(x.astype(np.float32) for x in (first, second, flow, weights))


def two_flows(generator, batch):
    return tuple(generator.normal(size=(2, batch, 5, 6, 2)).astype(np.float32))


def views(generator, batch):
    return (generator.normal(size=(4, batch, 8)).astype(np.float32),)
