"""Parameters by path: what is a bias, which layer it is in, and updates scaled or withheld accordingly.

A path reads ``encoder/block_0/norm1/scale``. A scanned encoder keeps its blocks in one leaf with a leading layer axis,
``encoder/blocks/norm1/scale``; everything here treats each layer of it as if it stood alone.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

__all__ = [
    "is_bias_or_norm",
    "is_stacked",
    "map_with_path",
    "must_match",
    "scale_groups",
    "scale_layers",
    "scale_updates",
    "split",
    "vit_layer",
    "withhold",
]


def is_bias_or_norm(path: str, leaf: jax.Array) -> bool:
    """True for biases, norm scales and other vectors, which get neither weight decay nor layer adaptation.

    >>> is_bias_or_norm("norm/scale", jnp.zeros(3)), is_bias_or_norm("encoder/blocks/norm1/scale", jnp.zeros((12, 3)))
    (True, True)
    >>> is_bias_or_norm("head/kernel", jnp.zeros((3, 3)))
    False
    """
    return leaf.ndim - is_stacked(path) <= 1


def is_stacked(path: str) -> bool:
    """Whether the first axis counts the layers of a scanned encoder: each is then treated as if it stood alone."""
    return bool(re.search(r"(?:^|/)blocks/", path))


def map_with_path(function: Callable, *trees):
    """Maps function(path, leaf, ...); a path reads ``encoder/block_0/norm1/scale``."""
    return jax.tree_util.tree_map_with_path(
        lambda path, *leaves: function(jax.tree_util.keystr(path, simple=True, separator="/"), *leaves), *trees
    )


def vit_layer(path: str, num_layers: int) -> int:
    """Layer of a ViT parameter: 0 for the embeddings, i + 1 for ``block_<i>``, num_layers + 1 for what follows.

    >>> [vit_layer(path, 12) for path in ("encoder/pos_embed", "encoder/encoder/block_3/norm1/scale", "head/kernel")]
    [0, 4, 13]
    """
    block = re.search(r"(?:^|/)block_(\d+)/", path)
    if block:
        return int(block.group(1)) + 1
    embedding = r"(?:^|/)(?:class_token|mask_token|registers|pos_embed|patch_embed|embedding)(?:/|$)"
    return 0 if re.search(embedding, path) else num_layers + 1


def scale_updates(factor: Callable) -> optax.GradientTransformation:
    """Stateless: multiplies each update by factor(path, leaf)."""
    return optax.stateless(lambda updates, params: map_with_path(lambda path, u: u * factor(path, u), updates))


def scale_layers(
    decay: float, num_layers: int, layer_of: Callable[[str, int], int] = vit_layer
) -> optax.GradientTransformation:
    """Multiplies the update of layer l by decay^(num_layers + 1 - l): layer-wise learning-rate decay of fine-tuning.

    Args:
      decay: factor from one layer to the one below.
      num_layers: blocks of the encoder.
      layer_of: (path, num_layers) -> layer id.

    Returns:
      A stateless optax gradient transformation.

    References: Clark et al. 2020, arXiv:2003.10555; BEiT and MAE fine-tune so.
    """

    def factor(path, leaf):
        if not is_stacked(path):
            return decay ** (num_layers + 1 - layer_of(path, num_layers))
        paths = [re.sub(r"(^|/)blocks/", rf"\g<1>block_{i}/", path) for i in range(len(leaf))]
        factors = jnp.array([decay ** (num_layers + 1 - layer_of(path, num_layers)) for path in paths], leaf.dtype)
        return factors.reshape(-1, *[1] * (leaf.ndim - 1))

    return scale_updates(factor)


def scale_groups(groups: Mapping[str, float]) -> optax.GradientTransformation:
    """Multiplies the update of each parameter by the factor of every regex that its path contains."""

    def factor(path, _):
        product = 1.0
        for pattern, value in groups.items():
            product *= value if re.search(pattern, path) else 1.0
        return product

    return scale_updates(factor)


def split(
    pattern: str, matching: optax.GradientTransformation, rest: optax.GradientTransformation
) -> optax.GradientTransformation:
    """One optimiser for the parameters whose path contains the regex, another for the rest.

    >>> tx = split("^predictor", optax.sgd(1.0), optax.sgd(0.1))
    >>> params = {"encoder": jnp.ones(1), "predictor": jnp.ones(1)}
    >>> updates, _ = tx.update(params, tx.init(params), params)
    >>> round(float(updates["encoder"][0]), 3), float(updates["predictor"][0])
    (-0.1, -1.0)
    """

    def label(tree):
        return map_with_path(lambda path, _: "matching" if re.search(pattern, path) else "rest", tree)

    return optax.partition({"matching": matching, "rest": rest}, label)


def must_match(tx: optax.GradientTransformation, patterns: Mapping[str, str]) -> optax.GradientTransformation:
    """``tx``, which refuses parameters of which a regex finds none: it would silently do nothing.

    Args:
      tx: the optimiser.
      patterns: what each regex is called in the message -> the regex.

    Raises:
      ValueError: from ``init``.

    >>> tx = must_match(optax.sgd(1.0), {"freeze": "last_layr"})
    >>> tx.init({"encoder": {"kernel": jnp.ones(1)}, "head": {"last_layer": jnp.ones(1)}})
    Traceback (most recent call last):
    ...
    ValueError: freeze='last_layr' finds no parameter; paths are like head/last_layer, and begin with encoder, head
    """

    def init(params):
        paths: list[str] = []
        map_with_path(lambda path, _: paths.append(path), params)
        for name, pattern in patterns.items():
            if not any(re.search(pattern, path) for path in paths):
                begin = ", ".join(dict.fromkeys(path.partition("/")[0] for path in paths))
                raise ValueError(
                    f"{name}={pattern!r} finds no parameter; paths are like {paths[-1]}, and begin with {begin}"
                )
        return tx.init(params)

    return optax.GradientTransformation(init, tx.update)


class WithholdState(NamedTuple):
    """Updates seen so far, and the state of the wrapped optimiser."""

    count: jax.Array  # type: ignore[assignment]  # hides tuple.count, which nobody needs
    inner: optax.OptState


def withhold(
    tx: optax.GradientTransformation, which: str | Callable[[str], bool], *, until_step: int
) -> optax.GradientTransformation:
    """Withholds the first ``until_step`` updates from a part of the parameters.

    Moments go on collecting gradients meanwhile. DINO instead hides the gradient of its last layer from the optimiser,
    so that its moments start at the release; with Adam's shared step count that would make the first updates too large.

    Args:
      tx: the optimiser.
      which: a regex searched in the parameter path, or path -> bool.
      until_step: how many updates to withhold.

    Returns:
      An optax gradient transformation.

    >>> tx = withhold(optax.sgd(1.0), "head/last", until_step=1)
    >>> params = {"head": {"last": jnp.ones(1)}}
    >>> updates, state = tx.update(params, tx.init(params))
    >>> float(updates["head"]["last"][0]), float(tx.update(params, state)[0]["head"]["last"][0])
    (0.0, -1.0)
    """
    frozen = (lambda path: re.search(which, path) is not None) if isinstance(which, str) else which

    def init(params):
        return WithholdState(jnp.zeros((), jnp.int32), tx.init(params))

    def update(updates, state, params=None):
        updates, inner = tx.update(updates, state.inner, params)
        withheld = state.count < until_step

        def hold(path, u):
            return jnp.where(withheld, jnp.zeros_like(u), u) if frozen(path) else u

        return map_with_path(hold, updates), WithholdState(optax.safe_increment(state.count), inner)

    return optax.GradientTransformation(init, update)
