"""The losses of frames: those of the authors' code, and what padding may not change."""

import functools

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.objectives import apc_loss, code_diversity_loss, code_perplexity, cpc_loss, wav2vec2_loss


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("wav2vec2"))
def test_matches_wav2vec2(name):
    case = golden.load("wav2vec2", name)
    hyper, given = case.hyper, case.inputs
    batch, frames, groups, codes = hyper["B"], hyper["T"], hyper["groups"], hyper["codes_per_group"]
    negatives = given["negatives"].astype(np.int32) - frames * np.arange(batch, dtype=np.int32)[:, None, None]
    probabilities = given["probs"].reshape(batch, frames, groups, codes)
    count = float(given["mask"].sum())  # the reference sums over the masked frames

    def parts(context, quantized, probabilities):
        masked = given["mask"]
        contrastive = wav2vec2_loss(context, quantized, negatives, masked, temperature=hyper["temperature"])
        diversity = hyper["diversity_weight"] * code_diversity_loss(probabilities, masked)
        perplexity = code_perplexity(probabilities, masked)
        return count * (contrastive + diversity), (count * contrastive, count * diversity, perplexity)

    step = jax.jit(jax.value_and_grad(parts, (0, 1, 2), has_aux=True))
    (loss, terms), grads = step(given["context"], given["quantized"], probabilities)
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    # The reference's diversity is not yet weighted.
    weights = (1.0, 1.0 / hyper["diversity_weight"], 1.0)
    for term, weight, key in zip(terms, weights, ("contrastive", "diversity", "perplexity")):
        golden.assert_loss(weight * term, case.out[key], case.tolerance)
    for grad, key in zip(grads, ("context", "quantized", "probs")):
        golden.assert_grad(grad.reshape(case.grad[key].shape), case.grad[key], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("cpc_infonce"))
def test_matches_cpc_audio(name):
    case = golden.load("cpc_infonce", name)
    ahead, frames = case.hyper["K"], case.hyper["T"]
    which = np.moveaxis(case.inputs["neg_index"], 1, 2)  # (B, W, N)

    def of_steps(c, z, w, steps):
        predictions = jnp.einsum("btc,kzc->bktz", c[:, : frames - ahead], w, precision="highest")
        negatives = z.reshape(-1, z.shape[-1])[which]
        if steps is None:
            return ahead * cpc_loss(predictions, z, negatives, jnp.ones(z.shape[:2]))  # the reference sums over steps
        own = z[:, steps : steps + frames - ahead + 1]  # one step ahead, of frames that are so much later
        return cpc_loss(predictions[:, steps : steps + 1], own, negatives, jnp.ones(own.shape[:2]))

    arrays = [case.inputs[key] for key in "czw"]
    step = jax.jit(jax.value_and_grad(of_steps, (0, 1, 2)), static_argnums=3)
    loss, grads = step(*arrays, None)
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    for grad, key in zip(grads, "czw"):
        golden.assert_grad(grad, case.grad[key], case.tolerance)
    each = [step(*arrays, k)[0] for k in range(ahead)]
    golden.assert_loss(each, case.out["loss_k"], case.tolerance)


def test_next_frame_is_the_formula():
    rng = np.random.default_rng(0)
    prediction, frames = rng.normal(size=(2, 3, 7, 4)).astype(np.float32)
    real = np.arange(7) < np.array([7, 5, 3])[:, None]  # the last example has no frame three steps ahead
    errors = [abs(prediction[b, t] - frames[b, t + 3]).mean() for b in range(3) for t in range(4) if real[b, t + 3]]
    assert len(errors) == 4 + 2
    np.testing.assert_allclose(apc_loss(prediction, frames, real, steps_ahead=3), np.mean(errors), rtol=1e-6)


def test_frames_of_weight_zero_may_hold_anything():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2, 6, 4)).astype(np.float32)
    real = np.arange(6) < np.array([6, 4])[:, None]
    loud = np.where(real[..., None], 0, 1e3).astype(np.float32)
    inside = np.array([[[3]] * 6, [[1]] * 6])  # negatives are real frames
    probabilities = np.full((2, 6, 2, 3), 1 / 3, np.float32)
    negatives = rng.normal(size=(2, 4, 3, 4)).astype(np.float32)
    losses = {
        "wav2vec2": lambda noise: wav2vec2_loss(a + noise, b + noise, inside, real, temperature=0.1),
        "codes": lambda noise: code_diversity_loss(probabilities + noise[..., :1, None], real),
        "cpc": lambda noise: cpc_loss(a[:, None, :4].repeat(2, 1), b + noise, negatives, real),
        "apc": lambda noise: apc_loss(a, b + noise, real, steps_ahead=1),
    }
    for name, loss in losses.items():
        np.testing.assert_allclose(loss(loud), loss(0 * loud), rtol=1e-6, err_msg=name)
        assert loss(0 * loud + 1) != loss(0 * loud) or name == "wav2vec2", name


def test_wrong_arguments():
    x, weights = np.zeros((2, 5, 4), np.float32), np.ones((2, 5), np.float32)
    wav2vec2 = functools.partial(wav2vec2_loss, x, x, temperature=0.1)
    with pytest.raises(ValueError, match="negatives must be integers, got float32"):
        wav2vec2(np.zeros((2, 5, 3), np.float32), weights)
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        wav2vec2(np.zeros((2, 5, 3), int), weights, temperature=0)
    with pytest.raises(ValueError, match=r"weights of shape \(2, 5\), got \(2, 4\)"):
        cpc_loss(np.zeros((2, 1, 4, 4)), x, np.zeros((2, 4, 3, 4)), weights[:, :4])
    with pytest.raises(ValueError, match="steps_ahead=5 of 5 frames: use 1 to 4"):
        apc_loss(x, x, weights, steps_ahead=5)
