"""The cross-entropy method on costs whose lowest place is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.planning import cross_entropy_method


def test_it_finds_the_lower_of_two_valleys_for_many_starts_at_once():
    def plan(key, goal):
        cost = lambda x: jnp.minimum(jnp.sum((x - goal) ** 2), 3.0 + jnp.sum((x + goal) ** 2))  # noqa: E731
        return cross_entropy_method(cost, key, jnp.zeros((2, 2)), 1.0, samples=256, iterations=10, least=0.01)

    goals = jax.random.normal(jax.random.key(1), (5, 2, 2))
    plans, costs = jax.jit(jax.vmap(plan))(jax.random.split(jax.random.key(0), 5), goals)
    np.testing.assert_allclose(plans, goals, atol=0.1)
    assert costs.shape == (5,) and (costs < 0.02).all()


def test_plans_are_projected_and_a_cost_that_is_not_finite_is_the_worst():
    cost = lambda x: jnp.where(x[0] > 0.5, jnp.nan, -x[0])  # noqa: E731
    options = {"samples": 64, "elites": 8, "iterations": 6}
    plan, lowest = cross_entropy_method(cost, jax.random.key(0), jnp.zeros(1), jnp.ones(1), **options)
    assert 0.4 < plan[0] <= 0.5 and lowest == -plan[0]
    clip = lambda x: x.clip(-0.25, 0.25)  # noqa: E731
    plan, _ = cross_entropy_method(cost, jax.random.key(0), jnp.zeros(1), jnp.ones(1), project=clip, **options)
    assert plan[0] == 0.25


def test_the_first_mean_is_never_lost():
    plan, cost = cross_entropy_method(lambda x: jnp.abs(x).sum(), jax.random.key(0), jnp.zeros(30), 5.0, iterations=1)
    assert cost == 0.0 and (plan == 0).all()


@pytest.mark.parametrize("options", [{"elites": 200}, {"elites": 0}, {"iterations": 0}])
def test_numbers_that_make_no_sense_are_named(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        cross_entropy_method(jnp.sum, jax.random.key(0), jnp.zeros(1), jnp.ones(1), **options)
