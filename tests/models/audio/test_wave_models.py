"""Networks of waveforms: formulas in NumPy, padding that changes nothing, a quantiser that chooses and learns."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from jssl.models import FrameGRU, FrameTransformer, GumbelQuantizer, WaveEncoder
from jssl.models.audio.frame_transformer import ConvolutionalPositions
from jssl.models.audio.waveform import CPC, WAV2VEC2, WaveformConvolutions, num_frames

LAYERS = ((6, 5, 3), (6, 3, 2))
CONTEXTS = {
    "transformer": FrameTransformer(width=8, depth=1, heads=2, kernel=4, groups=2),
    "causal": FrameTransformer(width=8, depth=1, heads=2, causal=True, positions="rotary"),
    "gru": FrameGRU(width=8, depth=2),
}


def randomly(model, *inputs, **options):
    """(parameters, none of them zero, in which norms and biases matter; the jitted network)."""
    params = jax.jit(functools.partial(model.init, **options))(jax.random.key(0), *inputs)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda x: np.asarray(x + 0.3 * rng.normal(size=x.shape), np.float32), params)
    return params, jax.jit(model.apply, static_argnames="last")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_gru_is_the_formula():
    x = np.random.default_rng(1).normal(size=(2, 4, 3)).astype(np.float32)
    params, apply = randomly(FrameGRU(width=5), x)
    p = jax.tree.map(np.float64, params["params"]["gru_0"])
    of_input = x @ p["input"]["kernel"] + p["input"]["bias"]
    state, states = np.zeros((2, 5)), []
    for t in range(4):
        r, z, n = np.split(of_input[:, t], 3, -1)
        u_r, u_z, u_n = np.split(state @ p["recurrent"], 3, -1)
        z = sigmoid(z + u_z)
        state = (1 - z) * np.tanh(n + sigmoid(r + u_r) * (u_n + p["bias"])) + z * state
        states.append(state)
    np.testing.assert_allclose(apply(params, x).tokens, np.stack(states, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kernel", [4, 5])
def test_convolutional_positions_are_the_formula(kernel):
    x = np.random.default_rng(1).normal(size=(1, 7, 6)).astype(np.float32)
    params, apply = randomly(ConvolutionalPositions(kernel=kernel, groups=2), x)
    p = jax.tree.map(np.float64, params["params"])
    weight = p["kernel"] / np.sqrt((p["kernel"] ** 2).sum((1, 2), keepdims=True)) * p["length"]
    padded = np.pad(x[0], ((kernel // 2, kernel), (0, 0)))  # what an even kernel sees more of comes before
    expected = np.zeros((7, 6))
    for t in range(7):
        for group in (slice(0, 3), slice(3, 6)):
            expected[t, group] = np.einsum("kc,kcd->d", padded[t : t + kernel, group], weight[:, :, group])
    expected += p["bias"]
    np.testing.assert_allclose(apply(params, x)[0], expected * (1 + erf(expected / 2**0.5)) / 2, rtol=1e-4, atol=1e-5)


def test_the_kernel_of_positions_starts_as_the_authors_draw_it():
    x = jnp.zeros((1, 3, 64))
    params = ConvolutionalPositions(kernel=16, groups=4).init(jax.random.key(0), x)["params"]
    drawn = np.sqrt((np.asarray(params["kernel"]) ** 2).sum((1, 2)))
    np.testing.assert_allclose(params["length"][:, 0, 0], drawn.mean(), rtol=0.05)


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_convolutions_are_the_formula(norm):
    x = np.random.default_rng(1).normal(size=(1, 30)).astype(np.float32)
    params, apply = randomly(WaveformConvolutions(LAYERS, norm), x)
    p = jax.tree.map(np.float64, params["params"])
    y = np.float64(x[0])[:, None]
    for i, (_, kernel, stride) in enumerate(LAYERS):
        weight = p[f"conv_{i}"]["kernel"]
        y = np.stack([np.einsum("kc,kcd->d", y[t : t + kernel], weight) for t in range(0, len(y) - kernel + 1, stride)])
        if norm == "layer":
            y = y + p[f"conv_{i}"]["bias"]
            y = (y - y.mean(1, keepdims=True)) / np.sqrt(y.var(1, keepdims=True) + 1e-6)
            y = y * p[f"norm_{i}"]["scale"] + p[f"norm_{i}"]["bias"]
        elif i == 0:
            y = (y - y.mean(0)) / np.sqrt(y.var(0) + 1e-5) * p["norm_scale"] + p["norm_bias"]
        y = y * (1 + erf(y / 2**0.5)) / 2
    frames, counts = apply(params, x)
    np.testing.assert_allclose(frames[0], y, rtol=1e-4, atol=1e-5)
    assert counts.tolist() == [len(y)] == [num_frames(30, LAYERS)]


def test_frames_of_the_papers():
    assert num_frames(16_000, WAV2VEC2) == 49 and num_frames(20_480, CPC) == 126
    assert num_frames(jnp.array([10, 400]), WAV2VEC2).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("norm", "context"),
    [
        ("group", "gru"),
        pytest.param("group", "transformer", marks=pytest.mark.slow),
        pytest.param("layer", "causal", marks=pytest.mark.slow),
    ],
)
def test_padding_changes_nothing(norm, context):
    model = WaveEncoder(CONTEXTS[context], LAYERS, norm)
    rng = np.random.default_rng(1)
    audio = rng.normal(size=(2, 60)).astype(np.float32)
    length = np.array([60, 35], np.int32)
    frames = num_frames(35, LAYERS)
    assert model.frames(35) == frames == 5
    params, apply = randomly(model, audio)
    padded = audio.copy()
    padded[1, 35:] = 7.0
    first, second, alone = (
        apply(params, audio, length=length),
        apply(params, padded, length=length),
        apply(params, audio[1:, :35]),
    )
    assert first.tokens.shape == (2, 9, 8) and first.local.shape == (2, 9, 6)
    for a, b in ((first, second), (first, jax.tree.map(lambda x: jnp.concatenate([x, x]), alone))):
        np.testing.assert_allclose(a.tokens[1, :frames], b.tokens[1, :frames], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(a.local[1, :frames], b.local[1, :frames], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(a.pooled[1], b.pooled[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("context", ["causal", "gru"])
def test_no_frame_sees_a_later_one(context):
    frames = np.random.default_rng(1).normal(size=(1, 8, 5)).astype(np.float32)
    params, apply = randomly(CONTEXTS[context], frames)
    later = frames.copy()
    later[:, 5:] = 9.0
    a, b = apply(params, frames).tokens, apply(params, later).tokens
    np.testing.assert_allclose(a[:, :5], b[:, :5], rtol=1e-5, atol=1e-6)
    assert np.abs(a[:, 5:] - b[:, 5:]).min(-1).max() > 0.01


def test_a_masked_frame_is_not_seen():
    frames = np.random.default_rng(1).normal(size=(1, 8, 5)).astype(np.float32)
    mask = np.zeros((1, 8), bool)
    mask[0, 3] = True
    params, apply = randomly(CONTEXTS["transformer"], frames, masked=mask)
    other = frames.copy()
    other[:, 3] = 9.0
    np.testing.assert_array_equal(apply(params, frames, masked=mask).tokens, apply(params, other, masked=mask).tokens)
    assert np.abs(np.asarray(apply(params, frames).tokens - apply(params, other).tokens)).max() > 0.01


@pytest.mark.slow
def test_the_gradient_into_the_convolutions_is_scaled():
    audio = np.random.default_rng(1).normal(size=(1, 40)).astype(np.float32)
    models = [WaveEncoder(CONTEXTS["gru"], LAYERS, convolution_gradient=scale) for scale in (1.0, 0.1)]
    params, _ = randomly(models[0], audio)
    whole, tenth = (
        jax.jit(jax.grad(lambda p, model=model: (model.apply(p, audio).pooled ** 2).sum()))(params)["params"]
        for model in models
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), whole["context"], tenth["context"])
    for a, b in zip(jax.tree.leaves(whole["convolutions"]), jax.tree.leaves(tenth["convolutions"])):
        np.testing.assert_allclose(0.1 * a, b, rtol=1e-4, atol=1e-7)
        assert np.any(a)


def test_the_quantiser_chooses_one_entry_of_each_group_and_learns():
    model, frames = GumbelQuantizer(groups=2, codes=5, width=6), np.random.default_rng(0).normal(size=(3, 40, 4))
    frames = frames.astype(np.float32)
    params = jax.jit(model.init)(jax.random.key(0), frames)
    codebook = np.asarray(params["params"]["codebook"])
    keys = jax.random.split(jax.random.key(1), 3)

    @jax.jit
    def step(params, frames, keys):
        def of(params):
            quantized = model.apply(params, frames, temperature=0.5, keys=keys)
            return (quantized.vectors**2).sum(), quantized

        (_, quantized), grads = jax.value_and_grad(of, has_aux=True)(params)
        return quantized, grads["params"]

    noisy, grads = step(params, frames, keys)
    plain = jax.jit(model.apply)(params, frames)
    entries = np.concatenate([codebook[g][np.asarray(plain.chosen)[..., g]] for g in range(2)], -1)
    np.testing.assert_array_equal(plain.vectors, entries)
    np.testing.assert_array_equal(np.argmax(plain.probabilities, -1), plain.chosen)
    np.testing.assert_allclose(plain.probabilities, noisy.probabilities, rtol=1e-5)  # without noise in both
    halves = np.asarray(noisy.vectors).reshape(3, 40, 2, 3)
    assert all(
        (np.abs(half - codebook[g]).max(-1) < 1e-6).any()
        for g in range(2)
        for half in halves[:, :, g].reshape(-1, 1, 3)
    )
    share = (np.asarray(noisy.vectors) == np.asarray(plain.vectors)).all(-1).mean()
    assert 0.02 < share < 0.9  # the noise decides some
    assert all(np.any(x) for x in (grads["codebook"], grads["logits"]["kernel"]))
    swapped, _ = step(params, frames[::-1], keys[::-1])  # noise goes with the example
    np.testing.assert_allclose(swapped.vectors[::-1], noisy.vectors, rtol=1e-6)


def test_wrong_attributes():
    frames = jnp.zeros((1, 8, 6))
    for model, message in (
        (ConvolutionalPositions(groups=4), "4 groups of the convolutional positions do not divide width 6"),
        (FrameTransformer(8, 1, 2, causal=True), "needs positions='rotary'"),
        (FrameTransformer(8, 1, 2, positions="learned"), "positions='learned': use convolution or rotary"),
        (GumbelQuantizer(groups=3, width=8), "3 groups of codes do not divide width 8"),
    ):
        with pytest.raises(ValueError, match=message):
            jax.eval_shape(model.init, jax.random.key(0), frames)
    for layers, norm, message in (
        (LAYERS, "batch", "norm='batch': use group or layer"),
        (WAV2VEC2, "group", "100 samples are fewer than one frame"),
    ):
        with pytest.raises(ValueError, match=message):
            jax.eval_shape(WaveformConvolutions(layers, norm).init, jax.random.key(0), jnp.zeros((1, 100)))
