"""Parameters in slices: those of a transformer's block are whole while it runs, and not before or after."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import sharding
from jssl.methods.networks import Networks
from jssl.models.transformer import Transformer

P = jax.P
FSDP = 4
RULES = (("(^|/)blocks/", sharding.shard_largest(1, first=1)), (".*", sharding.shard_largest(1)))


def gradient(stack, x, rules=RULES):
    """(jitted gradient of a sum of the outputs for sliced parameters, on 2 x 4 devices; the parameters)."""
    mesh = sharding.make_mesh(fsdp=FSDP)
    params = {"encoder": jax.eval_shape(stack.init, jax.random.key(0), x)["params"]}
    specs = sharding.layout(params, mesh, rules)

    def local(params, x):
        def loss(params):
            return jnp.sum(jnp.square(stack.apply({"params": sharding.gather(params, specs)["encoder"]}, x)[0]))

        return jax.grad(loss)(params)

    mapped = jax.shard_map(local, mesh=mesh, in_specs=(specs, P(sharding.AXES)), out_specs=specs)
    return jax.jit(mapped), params


@pytest.mark.parametrize(
    "options",
    [{"scan": True}, *(pytest.param({"scan": s, "remat": "dots"}, marks=pytest.mark.slow) for s in (True, False))],
)
def test_same_gradient_as_with_whole_parameters(options):
    stack = Transformer(depth=2, heads=2, **options)
    x = np.random.default_rng(0).normal(size=(8, 3, 16)).astype(np.float32)
    sliced, shapes = gradient(stack, x)
    params = jax.tree.map(jnp.asarray, stack.init(jax.random.key(1), x)["params"])

    def loss(params):
        return jnp.sum(jnp.square(stack.apply({"params": params}, x)[0]))

    found, expected = sliced({"encoder": params}, x)["encoder"], jax.jit(jax.grad(loss))(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max()), found, expected)


@pytest.mark.slow
@pytest.mark.parametrize(("scan", "remat"), [(s, r) for s in (True, False) for r in ("none", "full")])
def test_memory_holds_few_blocks_at_a_time(scan, remat):
    step, params = gradient(
        Transformer(depth=8, heads=4, scan=scan, remat=remat), jax.ShapeDtypeStruct((8, 4, 256), jnp.float32)
    )
    whole = sum(4 * leaf.size for leaf in jax.tree.leaves(params))
    temporary = (
        step.lower(params, jax.ShapeDtypeStruct((8, 4, 256), jnp.float32))
        .compile()
        .memory_analysis()
        .temp_size_in_bytes
    )
    slices = whole / FSDP  # of the gradient
    assert temporary < slices + 4 * whole / 8  # two blocks, and the gradients of two


def test_a_stack_is_not_split_between_its_blocks():
    x = jax.ShapeDtypeStruct((8, 3, 16), jnp.float32)
    step, params = gradient(Transformer(depth=20, heads=2, scan=True), x, ((".*", sharding.shard_largest(1)),))
    with pytest.raises(ValueError, match=r"along axis 0 of \(5, 16\).*DEFAULT_RULES"):
        jax.eval_shape(step, params, x)


class Foreign:
    """A network of someone's own, whose parameters have the name of a block's."""

    def init(self, key, x):
        return {"blocks": {"w": jax.random.normal(key, (16, 16))}}, {}

    def apply(self, params, batch_stats, x, **told):
        return x @ params["blocks"]["w"], batch_stats


def test_other_networks_get_whole_arrays():
    networks, mesh = Networks(encoder=Foreign()), sharding.make_mesh(fsdp=FSDP)
    x = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32)
    params, extra = networks.init(jax.random.key(0), lambda net: net("encoder", x))
    specs = sharding.layout(params, mesh, RULES)

    def local(params, x):
        return networks.student(sharding.gather(params, specs), extra)("encoder", x)

    rows = P(sharding.AXES)
    mapped = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=(specs, rows), out_specs=rows))
    np.testing.assert_allclose(mapped(params, x), x @ params["encoder"]["blocks"]["w"], rtol=1e-4, atol=1e-5)
