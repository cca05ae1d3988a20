"""What a method is built for."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from jssl.data.source import About, Spec


class Given(NamedTuple):
    """What a method is built for: the data, and the compute dtype.

    Attributes:
      spec: of one example, as ``Source.spec``.
      about: of the data set, as ``Source.about``.
      dtype: of the computation; parameters are float32.
    """

    spec: Spec
    about: About = About()
    dtype: Any = jnp.float32
