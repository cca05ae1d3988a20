"""The SwAV loss against the authors' code, with and without a queue."""

import golden
import jax
import jax.numpy as jnp
import numpy as np
import on_devices
import pytest

from jssl.objectives import sinkhorn, swav_loss
from jssl.objectives.similarity import inner


def step_of(hyper):
    """Loss, codes and gradients for (S, B, D) embeddings, normalised prototypes and, if any, (T, L, D) queues."""
    options = {"epsilon": hyper["epsilon"], "num_iterations": hyper["sinkhorn_iterations"]}

    def step(embedding, prototypes, *queues, axis_name=None):
        def codes_of(scores, queue=None):
            codes = sinkhorn(scores, axis_name=axis_name, **options)
            if queue is None:
                return codes
            with_queue = sinkhorn(scores, queue=inner(queue, prototypes), axis_name=axis_name, **options)
            return jnp.where(jnp.any(queue[-1] != 0), with_queue, codes)  # it is used once it is full

        def loss_of(embedding, prototypes):
            scores = jax.vmap(inner, (0, None))(embedding, prototypes)
            codes = jax.vmap(codes_of)(scores[: len(hyper["crops_for_assign"])], *queues)
            return swav_loss(scores, codes, temperature=hyper["temperature"], axis_name=axis_name), codes

        (loss, codes), grads = jax.value_and_grad(loss_of, (0, 1), has_aux=True)(embedding, prototypes)
        return loss, codes, grads

    return step


@pytest.mark.golden
@pytest.mark.parametrize(("name", "devices"), [*((name, None) for name in golden.cases("swav")), ("c02", 8)])
def test_matches_swav(name, devices):
    case = golden.load("swav", name)
    hyper = case.hyper
    assert hyper["crops_for_assign"] == list(range(len(hyper["crops_for_assign"])))  # the first ones
    embedding = case.inputs["embedding"].reshape(-1, hyper["B"], hyper["D"])
    arrays = [embedding, case.out["prototypes_normalized"].astype(np.float32)]
    arrays += [case.inputs["queue"]] if hyper["queue"] != "none" else []
    step = jax.jit(step_of(hyper))
    if devices:
        step = on_devices.mapped(step_of(hyper), devices, (1, None, None), (None, 1, (1, None)))
    loss, codes, (grad, grad_prototypes) = step(*arrays)
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grad, case.grad["embedding"].reshape(embedding.shape), case.tolerance)
    golden.assert_grad(grad_prototypes, case.grad["prototypes"], case.tolerance)
    for i, crop in enumerate(codes):
        golden.assert_loss(crop, case.out[f"codes_{i}"], case.tolerance)


def test_wrong_arguments():
    scores, codes = np.zeros((3, 2, 5), np.float32), np.zeros((2, 2, 5), np.float32)
    with pytest.raises(ValueError, match="T must not exceed S"):
        swav_loss(codes, scores, temperature=0.1)
    with pytest.raises(ValueError, match="one crop has no other crop"):
        swav_loss(scores[:1], codes[:1], temperature=0.1)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        swav_loss(scores, codes, temperature=0.0)
