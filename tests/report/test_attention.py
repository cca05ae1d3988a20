"""Attention as it is drawn, and what methods show of themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.models.vit import ViT
from jssl.report.attention import attention, rollout

IMAGES = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
OPTIONS = {"patch_size": 4, "width": 16, "depth": 3, "heads": 2, "image_size": 8}


@pytest.mark.slow
def test_scanned_blocks_are_read_like_unrolled_ones():
    scanned, unrolled = ViT(**OPTIONS, scan=True), ViT(**OPTIONS)
    params = jax.jit(scanned.init)(jax.random.key(0), IMAGES)["params"]
    stack = params["encoder"]["blocks"]
    blocks = {f"block_{i}": jax.tree.map(lambda x, i=i: x[i], stack) for i in range(3)}
    found = attention(scanned, params, IMAGES)
    np.testing.assert_allclose(found, attention(unrolled, {**params, "encoder": blocks}, IMAGES), atol=1e-6)
    assert found.std() > 0.01


def test_attention_is_that_of_the_network():
    """What the heads of the first block give, made of these probabilities, is what the block adds."""
    vit = ViT(**OPTIONS)
    params = jax.jit(vit.init)(jax.random.key(0), IMAGES)["params"]
    wanted = ("qkv", "proj")
    _, state = vit.apply(
        {"params": params}, IMAGES, capture_intermediates=lambda m, _: m.name in wanted, mutable=["intermediates"]
    )
    block = state["intermediates"]["encoder"]["block_0"]
    value = block["qkv"]["__call__"][0].reshape(2, 5, 3, 2, 8)[:, :, 2]
    mixed = jnp.einsum("bhnm,bmhd->bnhd", attention(vit, params, IMAGES)[0], value).reshape(2, 5, 16)
    layer = params["encoder"]["block_0"]["proj"]
    np.testing.assert_allclose(
        block["proj"]["__call__"][0] - layer["bias"][None, None], mixed @ layer["kernel"], atol=1e-5
    )


def test_rollout_by_hand():
    one = np.array([[1.0, 0.0], [0.5, 0.5]])
    half = 0.5 * one + 0.5 * np.eye(2)
    found = rollout(jnp.asarray(np.stack([one, one])[:, None, None], jnp.float32))
    np.testing.assert_allclose(found[0], half @ half, rtol=1e-6)
