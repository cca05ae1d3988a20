"""What the patches of a ViT attend to."""

import jax
import jax.numpy as jnp

from jssl.models.vit import ViT

__all__ = ["attention", "rollout"]


def attention(vit: ViT, params: dict, images: jax.Array) -> jax.Array:
    """Attention probabilities of every block and head.

    The products that make queries and keys are read while the network runs; probabilities are made of them here, since no
    implementation of attention gives its own away.

    Args:
      vit: the network.
      params: its parameters.
      images: (B, H, W, C), as the network takes them.

    Returns:
      (depth, B, heads, N, N) float32, from each token (the next to last axis) to each; class token and registers come first.

    >>> vit = ViT(patch_size=4, width=16, depth=2, heads=2, image_size=8)
    >>> images = jnp.ones((1, 8, 8, 3))
    >>> found = attention(vit, vit.init(jax.random.key(0), images)["params"], images)
    >>> found.shape, bool(jnp.allclose(found.sum(-1), 1, atol=1e-5))
    ((2, 1, 2, 5, 5), True)
    """
    vit = vit.clone(remat="none", drop_path=0.0)
    if vit.scan:  # nothing can be read inside of a scan
        stack = dict(params["encoder"])
        blocks = stack.pop("blocks")
        stack |= {f"block_{i}": jax.tree.map(lambda x, i=i: x[i], blocks) for i in range(vit.depth)}
        vit, params = vit.clone(scan=False), {**params, "encoder": stack}

    def is_qkv(module, method):
        return module.name == "qkv" and method == "__call__"

    _, state = vit.apply({"params": params}, images, capture_intermediates=is_qkv, mutable=["intermediates"])
    found = state["intermediates"]["encoder"]

    def probabilities(block):
        (qkv,) = found[f"block_{block}"]["qkv"]["__call__"]
        qkv = qkv.astype(jnp.float32).reshape(*qkv.shape[:2], 3, vit.heads, -1)
        scores = jnp.einsum("bnhd,bmhd->bhnm", qkv[:, :, 0], qkv[:, :, 1]) / jnp.sqrt(jnp.float32(qkv.shape[-1]))
        return jax.nn.softmax(scores, -1)

    return jnp.stack([probabilities(block) for block in range(vit.depth)])


def rollout(probabilities: jax.Array) -> jax.Array:
    """How much of each token has come to each, through all blocks (Abnar and Zuidema, arXiv:2005.00928).

    Heads are averaged, and half of a token stays where it is, for the residual connection.

    Args:
      probabilities: (depth, B, heads, N, N), from ``attention``.

    Returns:
      (B, N, N); rows sum to 1.
    """
    mean = probabilities.mean(2)
    steps = 0.5 * mean + 0.5 * jnp.eye(mean.shape[-1])[None, None]
    total = steps[0]
    for step in steps[1:]:
        total = jnp.einsum("bnm,bmk->bnk", step, total)
    return total
