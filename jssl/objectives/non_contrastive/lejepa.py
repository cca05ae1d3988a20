"""LeJEPA: views agree with the mean of the large ones, and every view's embeddings are an isotropic Gaussian (SIGReg)."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh


@any_mesh
def sigreg_loss(
    embedding: jax.Array,
    *,
    key: jax.Array,
    num_slices: int = 1024,
    knots: int = 9,
    bound: float = 5.0,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Distance of embeddings from a standard Gaussian: the Epps-Pulley statistic, averaged over random directions.

    .. math:: \frac1M \sum_{m=1}^M N \int_{-T}^{T} \left| \frac1N \sum_{n=1}^N e^{i t\, a_m \cdot z_n} - e^{-t^2/2} \right|^2
              e^{-t^2/2}\, dt

    with unit vectors :math:`a_m`, by the trapezoidal rule. The integrand is even, so that half of it is evaluated and counted
    twice. The characteristic function is that of the global batch of N examples: devices add up M x knots numbers, and no
    rows are gathered. It is no mean over examples, so accumulation over micro-batches is a different loss, and the factor
    N makes it grow with the batch where embeddings are not Gaussian.

    Args:
      embedding: (N, D) projector outputs, any float dtype; not normalised.
      key: PRNG key of the directions, the same on every device, another one every step.
      num_slices: M, directions.
      knots: points of the quadrature on [0, bound], at least 2.
      bound: T, where the integral ends, above 0.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, for the global batch, not negative.

    Raises:
      ValueError: the embedding is not (N, D) or is empty, or an option is too small.

    >>> x = jax.random.normal(jax.random.key(0), (512, 4))
    >>> for scale in (0.0, 1.0, 3.0):  # collapsed, Gaussian, too wide
    ...     print(round(float(sigreg_loss(scale * x, key=jax.random.key(1), num_slices=64))))
    209
    1
    281

    Reference: Balestriero and LeCun, "LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics", 2025
    (arXiv:2511.08544). The listing of the paper has 17 points on [-5, 5], which are these 9 on [0, 5]; the authors' minimal
    example has ``knots=17, bound=3.0`` and 256 directions.
    """
    _checks.rank("sigreg_loss", 2, "(batch, features)", embedding=embedding)
    return _sigreg("sigreg_loss", embedding[None], key, num_slices, knots, bound, axis_name)


@any_mesh
def lejepa_loss(
    embeddings: jax.Array,
    *,
    num_global: int,
    key: jax.Array,
    weight: float | jax.Array = 0.05,
    num_slices: int = 1024,
    knots: int = 9,
    bound: float = 5.0,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Views predict the mean of the large ones, and SIGReg keeps the embeddings of each view from collapsing.

    .. math:: \frac{1 - \lambda}{V N D} \sum_{v, n} \left\lVert z_{vn} - \frac1G \sum_{g=1}^G z_{gn} \right\rVert^2
              + \frac{\lambda}{V} \sum_v \mathrm{SIGReg}(z_v)

    There is no teacher and nothing is stopped: the mean gets gradients, too. All views share the directions of `sigreg_loss`.

    Args:
      embeddings: (V, N, D) projector outputs of V views, the G large ones first, any float dtype; not normalised.
      num_global: G, between 1 and V.
      key: PRNG key of the directions, the same on every device, another one every step.
      weight: the paper's lambda, its one hyperparameter.
      num_slices, knots, bound: see `sigreg_loss`.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, for the global batch.

    Raises:
      ValueError: the embeddings are not (V, N, D) or are empty, or an option is out of its range.

    >>> z = jax.random.normal(jax.random.key(0), (4, 64, 8))
    >>> options = {"num_global": 2, "key": jax.random.key(1), "num_slices": 16}
    >>> same, other = (float(lejepa_loss(x, weight=0.0, **options)) for x in (z[:1].repeat(4, 0), z))
    >>> same == 0.0, other > 0.5
    (True, True)

    Reference: Balestriero and LeCun, "LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics", 2025
    (arXiv:2511.08544). The value is that of the listings in the paper for the same directions, which it draws from a
    generator seeded by the step.
    """
    _checks.rank("lejepa_loss", 3, "(views, batch, features)", embeddings=embeddings)
    if not 1 <= num_global <= len(embeddings):
        raise ValueError(f"lejepa_loss: num_global={num_global}, but embeddings have shape {embeddings.shape}")
    embeddings = embeddings.astype(jnp.float32)
    center = jnp.mean(embeddings[:num_global], axis=0, keepdims=True)
    distance = collectives.mean(jnp.mean(jnp.square(embeddings - center)), axis_name)
    spread = _sigreg("lejepa_loss", embeddings, key, num_slices, knots, bound, axis_name)
    return (1.0 - weight) * distance + weight * spread


def _sigreg(function, views, key, num_slices, knots, bound, axis_name):
    """The mean statistic over views (V, N, D) and directions."""
    _checks.positive(function, num_slices=num_slices, bound=bound)
    if knots < 2:
        raise ValueError(f"{function}: knots={knots}; the trapezoidal rule takes at least 2")
    views = views.astype(jnp.float32)
    directions = jax.random.normal(key, (views.shape[-1], num_slices))
    directions /= jnp.linalg.norm(directions, axis=0, keepdims=True)
    projected = jnp.einsum("vnd,dm->vnm", views, directions, precision=lax.Precision.HIGHEST)
    t = jnp.linspace(0.0, bound, knots).reshape(1, 1, 1, knots)
    gaussian = jnp.exp(-jnp.square(t) / 2.0)  # both the characteristic function aimed at and the weight

    @jax.checkpoint  # what is kept for the gradient are the projections, not their sines and cosines at every knot
    def characteristic(projected):
        angles = projected[..., None] * t
        return jnp.mean(jnp.cos(angles), 1, keepdims=True), jnp.mean(jnp.sin(angles), 1, keepdims=True)

    real, imaginary = collectives.mean(characteristic(projected), axis_name)  # (V, 1, M, knots)
    error = (jnp.square(real - gaussian) + jnp.square(imaginary)) * gaussian
    examples = views.shape[1] * collectives.size(axis_name)
    return examples * jnp.mean(2.0 * jnp.trapezoid(error, dx=bound / (knots - 1)))
