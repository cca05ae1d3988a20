"""Sizes of networks."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Transformer:
    """Size of a decoder or predictor.

    Attributes:
      width: of its tokens.
      depth: blocks.
      heads: attention heads.
    """

    width: int
    depth: int
    heads: int
