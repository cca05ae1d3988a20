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


def sliced(stack, x, of, rules=RULES):
    """(jitted ``of(loss)(sliced parameters)`` on 2 x 4 devices, for a sum of the outputs; shapes of the parameters)."""
    mesh = sharding.make_mesh(fsdp=FSDP)
    params = {"encoder": jax.eval_shape(stack.init, jax.random.key(0), x)["params"]}
    specs = sharding.layout(params, mesh, rules)

    def local(params, x):
        def loss(params):
            total = jnp.sum(jnp.square(stack.apply({"params": sharding.gather(params, specs)["encoder"]}, x)[0]))
            return jax.lax.psum(total, sharding.AXES)

        return of(loss)(params)

    out_specs = specs if of is jax.grad else P()
    mapped = jax.shard_map(local, mesh=mesh, in_specs=(specs, P(sharding.AXES)), out_specs=out_specs)
    return jax.jit(mapped), params


def both(of, **options):
    """``of(loss)`` with sliced parameters, and with whole ones on one device."""
    stack = Transformer(depth=2, heads=2, **options)
    x = np.random.default_rng(0).normal(size=(8, 3, 16)).astype(np.float32)
    function, shapes = sliced(stack, x, of)
    draws = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: 0.2 * draws.normal(size=leaf.shape).astype(np.float32), shapes)

    def loss(params):
        return jnp.sum(jnp.square(stack.apply({"params": params["encoder"]}, x)[0]))

    return function(params, x), jax.jit(of(loss))(params)


def test_same_loss_as_with_whole_parameters():
    np.testing.assert_allclose(*both(lambda loss: loss, scan=True), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"scan": True}, {"scan": True, "remat": "dots"}, {"scan": False, "remat": "dots"}])
def test_same_gradient_as_with_whole_parameters(options):
    found, expected = both(jax.grad, **options)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max()), found, expected)


@pytest.mark.slow
@pytest.mark.parametrize(("scan", "remat"), [(s, r) for s in (True, False) for r in ("none", "full")])
def test_memory_holds_few_blocks_at_a_time(scan, remat, request):
    if not scan and jax.__version_info__ < (0, 11):
        reason = (
            "this XLA's CPU backend merges what is done twice, whatever stands between: docs/devices.md says use scan"
        )
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))  # and tells when it no longer does
    x = jax.ShapeDtypeStruct((8, 4, 256), jnp.float32)
    step, params = sliced(Transformer(depth=8, heads=4, scan=scan, remat=remat), x, jax.grad)
    whole = sum(4 * leaf.size for leaf in jax.tree.leaves(params))
    temporary = step.lower(params, x).compile().memory_analysis().temp_size_in_bytes
    slices = whole / FSDP  # of the gradient
    assert temporary < slices + 4 * whole / 8  # two blocks, and the gradients of two


def test_a_stack_is_not_split_between_its_blocks():
    x = jax.ShapeDtypeStruct((8, 3, 16), jnp.float32)
    step, params = sliced(Transformer(depth=20, heads=2, scan=True), x, jax.grad, ((".*", sharding.shard_largest(1)),))
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
