"""A source that must not be read."""

import jax

from jssl.data import Source


class Unread(Source):
    """May be described but not read."""

    def __init__(self, **fields):
        self.spec = {name: jax.ShapeDtypeStruct(shape, dtype) for name, (shape, dtype) in fields.items()}

    def __len__(self):
        return 1 << 20

    def __getitem__(self, index):
        raise AssertionError("the source was read")
