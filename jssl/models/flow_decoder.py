"""From the maps of two frames to the flow between them, from coarse to fine."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.models.norms import make_layer_norm


class FlowDecoder(nn.Module):
    """Optical flow from two pyramids of maps, in the manner of PWC-Net (Sun et al., arXiv:1709.02371).

    At each level, from the coarsest on, both maps are brought to one width and layer-normalised, the second is moved along the
    flow found so far, and convolutions turn the correlations of each place with its neighbourhood, the first map and that flow
    into what the flow lacks, at most as far as they reach. Four levels of halved sides and a reach of 4 find 60 places of the
    finest map.

    PWC-Net hands on the last hidden layer of a level, too, has denser convolutions, and refines the last flow by dilated ones.

    Attributes:
      warp: (map (B, H, W, C), flow (B, H, W, 2)) -> (the map read along the flow, and what lies inside), ``objectives.warp``.
      width: channels of the maps and of the convolutions.
      depth: 3x3 convolutions of a level before the one that gives the flow.
      reach: places either way that are compared.
      dtype: compute dtype; flows are float32.
      param_dtype: parameter dtype.

    >>> from jssl.objectives import warp
    >>> model = FlowDecoder(warp, width=8, depth=1, reach=1)
    >>> maps = jnp.ones((2, 8, 8, 3)), jnp.ones((2, 4, 4, 5))
    >>> variables = model.init(jax.random.key(0), maps, maps)
    >>> model.apply(variables, maps, maps).shape
    (2, 8, 8, 2)
    """

    warp: Callable
    width: int = 64
    depth: int = 2
    reach: int = 4
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, first: tuple[jax.Array, ...], second: tuple[jax.Array, ...]) -> jax.Array:
        """The flow from the first frame to the second.

        Args:
          first: maps of the first frame, (B, h, w, C) each, the finest first, of any sizes.
          second: those of the second frame, of the same shapes.

        Returns:
          (B, H, W, 2) float32, at the places of the finest map and in units of them, to the right and down.

        Raises:
          ValueError: pyramids of other shapes, or none.
        """
        shapes = [[x.shape for x in maps] for maps in (first, second)]
        if shapes[0] != shapes[1] or not first:
            raise ValueError(
                f"FlowDecoder: the maps of the first frame are {shapes[0]}, those of the second {shapes[1]}"
            )
        common = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        flow: Any = None
        for level in reversed(range(len(first))):
            name = f"level{level + 1}"
            lateral = nn.Dense(self.width, name=f"{name}_lateral", **common)
            norm = make_layer_norm(name=f"{name}_norm", **common)
            a, b = (norm(lateral(maps[level].astype(self.dtype))) for maps in (first, second))
            if flow is not None:
                flow = resize_flow(flow, a.shape[1:3])
                b = self.warp(b, flow)[0].astype(self.dtype)
            known = [] if flow is None else [flow.astype(self.dtype)]
            x = jnp.concatenate([correlation(a, b, self.reach), a, *known], -1)
            for i in range(self.depth):
                x = nn.leaky_relu(nn.Conv(self.width, (3, 3), name=f"{name}_conv{i + 1}", **common)(x), 0.1)
            # Small at first: along a flow at random nothing is alike, and there is no way back.
            small = nn.initializers.variance_scaling(1e-3, "fan_in", "truncated_normal")
            lacks = nn.Conv(2, (3, 3), kernel_init=small, name=f"{name}_flow", **common)(x).astype(jnp.float32)
            lacks = self.reach * jnp.tanh(lacks)  # nothing further is compared
            flow = lacks if flow is None else flow + lacks
        return flow


def correlation(first: jax.Array, second: jax.Array, reach: int) -> jax.Array:
    """How alike each place of the first map and those around it in the second are: the mean product of their channels.

    Args:
      first: (B, H, W, C).
      second: (B, H, W, C); beyond its edge are zeros.
      reach: places either way.

    Returns:
      (B, H, W, (2 reach + 1)^2), the neighbours in raster order.

    >>> correlation(jnp.ones((1, 1, 2, 3)), jnp.arange(6.0).reshape(1, 1, 2, 3), 1)[0, 0, :, 3:6].tolist()
    [[0.0, 1.0, 4.0], [1.0, 4.0, 0.0]]
    """
    height, width = first.shape[1:3]
    wide = jnp.pad(second, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    side = range(2 * reach + 1)
    return jnp.stack([jnp.mean(first * wide[:, i : i + height, j : j + width], -1) for i in side for j in side], -1)


def resize_flow(flow: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """A flow at another resolution, bilinear, its vectors in units of that.

    Args:
      flow: (B, h, w, 2).
      size: height and width of the result.

    Returns:
      (B, H, W, 2).

    >>> resize_flow(jnp.ones((1, 1, 2, 2)), (3, 4))[0, 0, 0].tolist()
    [2.0, 3.0]
    """
    height, width = size
    scale = jnp.array([width / flow.shape[2], height / flow.shape[1]], flow.dtype)
    return jax.image.resize(flow, (flow.shape[0], height, width, 2), "bilinear") * scale[None, None, None]
