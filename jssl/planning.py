"""Plans by the cross-entropy method: actions whose cost, as a model foresees it, is low."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

__all__ = ["cross_entropy_method"]


def cross_entropy_method(
    cost: Callable[[jax.Array], jax.Array],
    key: jax.Array,
    mean: jax.Array,
    std: jax.Array,
    *,
    samples: int = 128,
    elites: int = 16,
    iterations: int = 5,
    least: float = 0.05,
    project: Callable[[jax.Array], jax.Array] = lambda plan: plan,
) -> tuple[jax.Array, jax.Array]:
    """The plan of the lowest cost that was met while a Gaussian moves to where costs are low.

    Plans are drawn from the Gaussian; the best of them say its next mean and deviations, number by number. The mean itself is
    among the plans of each round. All is of static shape: ``jax.vmap`` plans for many starts at once.

    Args:
      cost: plan -> scalar, low is good; vmapped over the plans of a round. One that is not finite is the worst.
      key: PRNG key.
      mean: of the first round, any shape, float32: of actions as a rule (H, A).
      std: deviations of the first round, of that shape or one that broadcasts to it.
      samples: plans of a round.
      elites: how many of them say the next mean.
      iterations: rounds.
      least: deviations never fall below this.
      project: plan -> the nearest one that is allowed.

    Returns:
      (plan, its cost): of the shape of ``mean``, and float32 scalar.

    Raises:
      ValueError: there are more elites than samples, or a number is below 1.

    >>> cost = lambda plan: jnp.sum((plan - 0.5) ** 2)
    >>> plan, lowest = cross_entropy_method(cost, jax.random.key(0), jnp.zeros(2), jnp.ones(2))
    >>> plan.round(1).tolist(), bool(lowest < 0.01)
    ([0.5, 0.5], True)

    Rubinstein, "The Cross-Entropy Method for Combinatorial and Continuous Optimization", 1999; to plan in a world that was
    learnt: V-JEPA 2-AC (arXiv:2506.09985).
    """
    if not 1 <= elites <= samples or iterations < 1:
        raise ValueError(
            f"samples={samples}, elites={elites}, iterations={iterations}; use 1 or more, and no more elites than samples"
        )
    mean = jnp.asarray(mean, jnp.float32)
    std = jnp.broadcast_to(jnp.asarray(std, jnp.float32), mean.shape)

    def one_round(state, key):
        mean, std, best, lowest = state
        noise = jax.random.normal(key, (samples, *mean.shape)).at[0].set(0.0)
        plans = jax.vmap(lambda noise: project(mean + std * noise))(noise)
        costs = jax.vmap(cost)(plans).astype(jnp.float32)
        costs = jnp.where(jnp.isfinite(costs), costs, jnp.inf)
        _, order = jax.lax.top_k(-costs, elites)
        chosen, first = plans[order], order[0]
        better = costs[first] < lowest
        best, lowest = jnp.where(better, plans[first], best), jnp.where(better, costs[first], lowest)
        return (chosen.mean(0), jnp.maximum(chosen.std(0), least), best, lowest), None

    start = mean, std, project(mean), jnp.float32(jnp.inf)
    (_, _, best, lowest), _ = jax.lax.scan(one_round, start, jax.random.split(key, iterations))
    return best, lowest
