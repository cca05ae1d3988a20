"""How much two networks, or two views of the same examples, have in common."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.objectives import alignment, info_nce, l2_normalize

__all__ = ["between", "ema_distance", "linear_cka", "mutual_information"]


def mutual_information(view_a, view_b, *, temperature: float = 0.1) -> jax.Array:
    r"""InfoNCE's lower bound on what one view tells of the other: log N minus the loss of picking its partner among N.

    .. math:: I(a; b) \ge \log N - \mathcal{L}_{\mathrm{InfoNCE}}

    It never exceeds log N, which perfect matching reaches, and is negative where matching is worse than chance.

    Args:
      view_a: (N, D), L2-normalised here.
      view_b: (N, D); row i is of the same example as row i of ``view_a``.
      temperature: of the softmax over the cosines. The bound holds for any.

    Returns:
      float32 scalar, nats.

    Raises:
      ValueError: shapes disagree, an array is empty, or the temperature is not above 0.

    >>> same = jnp.eye(8)
    >>> round(float(mutual_information(same, same)), 3), round(float(jnp.log(8)), 3)
    (2.079, 2.079)
    >>> round(abs(float(mutual_information(jnp.ones((8, 4)), jnp.ones((8, 4))))), 3)
    0.0

    References: van den Oord et al. 2018, arXiv:1807.03748; Poole et al. 2019, arXiv:1905.06922.
    """
    return jnp.log(jnp.float32(len(view_a))) - info_nce(view_a, view_b, temperature=temperature)


def between(view_a, view_b) -> dict[str, float]:
    """What two views share, as a diagnosis shows it.

    Args:
      view_a: (N, D), L2-normalised here.
      view_b: (N, D), row by row of the same examples.

    Returns:
      ``alignment``, the mean squared distance of partners, and ``mutual_information``.

    >>> between(np.eye(4), np.eye(4))["alignment"]
    0.0
    """
    view_a, view_b = (l2_normalize(jnp.asarray(view, jnp.float32)) for view in (view_a, view_b))
    return {
        "alignment": float(alignment(view_a, view_b)),
        "mutual_information": float(mutual_information(view_a, view_b)),
    }


def linear_cka(first, second) -> float:
    r"""Linear centred kernel alignment: how alike two networks see the same examples, whatever turns or scales their features.

    .. math:: \frac{\lVert Y^\top X \rVert_F^2}{\lVert X^\top X \rVert_F \lVert Y^\top Y \rVert_F}

    with centred columns. It is biased upwards where examples are not many more than dimensions.

    Args:
      first: (N, D) features.
      second: (N, E), of the same examples row by row.

    Returns:
      From 0 to 1; 0 where either is constant.

    Raises:
      ValueError: not as many rows.

    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> round(linear_cka(x, 2 * x[:, [1, 2, 0]]), 6), linear_cka(x, x @ np.diag([1.0, 1.0, 0.0])) < 1
    (1.0, True)

    References: Kornblith et al. 2019, arXiv:1905.00414.
    """
    x, y = (np.asarray(rows, np.float64) for rows in (first, second))
    if len(x) != len(y):
        raise ValueError(f"features of shapes {x.shape} and {y.shape} are not of the same examples")
    x, y = x - x.mean(0, keepdims=True), y - y.mean(0, keepdims=True)
    size = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(y.T @ x) ** 2 / size) if size else 0.0


def ema_distance(student, teacher) -> float:
    """Length of the difference of student and teacher over that of the student: 0 where they are the same.

    Args:
      student: tree of the parameters that the teacher tracks, ``method.teacher(params)``.
      teacher: tree of the same structure and shapes.

    Returns:
      The distance; inf where the student is all zero and the teacher is not.

    Raises:
      ValueError: trees that differ.

    >>> ema_distance({"w": np.array([3.0, 4.0])}, {"w": np.array([3.0, 3.5])})
    0.1
    """
    apart = _squares(jax.tree.map(lambda s, t: np.asarray(s, np.float64) - np.asarray(t, np.float64), student, teacher))
    size = _squares(student)
    return 0.0 if not apart else float(np.sqrt(apart / size)) if size else float("inf")


def _squares(tree) -> float:
    return sum(float(np.sum(np.asarray(leaf, np.float64) ** 2)) for leaf in jax.tree.leaves(tree))
