"""One-line errors for wrong arguments, raised while tracing."""

import jax
import jax.numpy as jnp


def are_arrays(function: str, **arrays: object) -> None:
    """Raises ValueError for a list, or anything else that is no array."""
    for name, array in arrays.items():
        if not hasattr(array, "ndim"):
            raise ValueError(
                f"{function}: {name} is a {type(array).__name__}; pass an array, jax.numpy.asarray({name})"
            )


def same_shape(function: str, **arrays: jax.Array) -> None:
    """Raises ValueError naming both shapes unless all arrays have the first one's shape."""
    are_arrays(function, **arrays)
    (first, reference), *rest = arrays.items()
    for name, array in rest:
        if array.shape != reference.shape:
            raise ValueError(f"{function}: {first} has shape {reference.shape} but {name} has shape {array.shape}")


def last_axis(function: str, **arrays: jax.Array) -> None:
    """Raises ValueError naming both shapes unless the last axes agree."""
    (first, reference), *rest = arrays.items()
    for name, array in rest:
        if array.shape[-1:] != reference.shape[-1:]:
            raise ValueError(
                f"{function}: the last axes of {first} {reference.shape} and {name} {array.shape} must agree"
            )


def rank(function: str, expected: int, axes: str, **arrays: jax.Array) -> None:
    """Raises ValueError unless every array is one and has `expected` axes, named in `axes`, none of them empty."""
    are_arrays(function, **arrays)
    for name, array in arrays.items():
        if array.ndim != expected:
            raise ValueError(f"{function}: {name} must be {axes}, got shape {array.shape}")
    not_empty(function, **arrays)


def not_empty(function: str, **arrays: jax.Array) -> None:
    """Raises ValueError when an array has no elements: its mean would be NaN."""
    for name, array in arrays.items():
        if array.size == 0:
            raise ValueError(f"{function}: {name} is empty, shape {array.shape}; pass at least one example")


def at_least_two(function: str, examples: int) -> None:
    """Raises ValueError unless the global batch has two examples: one has neither a spread nor a negative."""
    if examples < 2:
        raise ValueError(f"{function}: needs at least two examples in the global batch, got {examples}")


def integers(function: str, **arrays: jax.Array) -> None:
    """Raises ValueError for an array that is not of an integer dtype."""
    for name, array in arrays.items():
        if not jnp.issubdtype(array.dtype, jnp.integer):
            raise ValueError(f"{function}: {name} must be integers, got {array.dtype}")


def positive(function: str, **values: object) -> None:
    """Raises ValueError for a Python number that is not above zero; traced values pass."""
    for name, value in values.items():
        if isinstance(value, int | float) and not value > 0:
            raise ValueError(f"{function}: {name} must be above 0, got {value}")


def scalar(function: str, **values: float | jax.Array) -> jax.Array:
    """The one value as a float32 scalar; raises ValueError when it has axes."""
    ((name, value),) = values.items()
    if jnp.ndim(value) != 0:
        raise ValueError(f"{function}: {name} must be a scalar, got shape {jnp.shape(value)}")
    return jnp.asarray(value).astype(jnp.float32)
