"""What the patches of a ViT attend to."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl import methods
from jssl.methods import encoders
from jssl.methods.networks import Linen
from jssl.models.vit import ViT
from jssl.report.run import Loaded

__all__ = ["attention", "attention_distance", "rollout", "vit_of"]


def vit_of(loaded: Loaded, *, teacher: bool = False) -> tuple[ViT | None, dict]:
    """The ViT that reads pictures in a run, and its parameters; (None, {}) where there is none.

    Args:
      loaded: the run.
      teacher: the parameters of the EMA teacher.
    """
    options = loaded.run.config.method.to_dict()
    options = methods.complete_options(options.pop("name"), options)
    params = methods.weights(loaded.state, teacher=teacher)[0]
    name = "encoder" if "encoder" in params else "image"
    if not isinstance(options.get("encoder"), dict) or "image" not in options or name not in params:
        return None, {}
    made = encoders.make("image", options["encoder"], image_size=options["image"].size, dtype=jnp.float32)
    module = made.network.module if isinstance(made.network, Linen) else None
    return (module, params[name]) if isinstance(module, ViT) else (None, {})


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


def attention_distance(probabilities: jax.Array, *, patch_size: int) -> np.ndarray:
    """How far the patches look: the mean distance of what each attends to, weighted by its attention.

    Args:
      probabilities: (depth, B, heads, N, N), from ``attention``, whose last tokens are the patches of a square; what comes before
        them, a class token and registers, has no place: it is left out, and the rest of each row is brought to sum to one.
      patch_size: P, pixels of a side of a patch.

    Returns:
      (depth, heads) float64, pixels.

    Raises:
      ValueError: fewer than one patch.

    References: Dosovitskiy et al. 2021, arXiv:2010.11929, appendix D.7, figure 7.

    >>> attention_distance(jnp.full((1, 1, 1, 4, 4), 0.25), patch_size=2).round(3)  # 0, 2, 2 and 2.828 pixels
    array([[1.707]])
    """
    side = int(probabilities.shape[-1] ** 0.5)
    if not side:
        raise ValueError(f"attention of shape {probabilities.shape} has no patches")
    places = np.stack(np.meshgrid(*[np.arange(side)] * 2, indexing="ij"), -1).reshape(-1, 2) * patch_size
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    own = np.asarray(probabilities, np.float64)[..., -(side**2) :, -(side**2) :]
    own = own / own.sum(-1, keepdims=True)
    return (own * apart).sum(-1).mean((1, 3))
