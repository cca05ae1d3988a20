"""Checkpoints: what is restored is what was saved, bit by bit, on any devices; when one is written, and which stay."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_states import META, abstract, assert_same, make_mesh, make_state, put

from jssl.train.checkpoints import Checkpointer
from jssl.train.checkpoints.fingerprint import fingerprints


def test_round_trip_is_bit_identical(tmp_path):
    state = make_state()
    meta = {**META, "crop": (0.2, 1.0)}
    with Checkpointer(tmp_path / "new" / "folder", every=10) as checkpoints:
        assert checkpoints.save(10, state, meta, {"loss": np.float32(0.5), "accuracy": float("nan")})
        restored, read, step = checkpoints.restore(abstract(state))
    assert step == 10
    assert_same(restored, state)
    for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(state)):
        assert a.sharding == b.sharding
    assert read["config"] == META["config"] and read["data"] == "f00d" and read["crop"] == [0.2, 1.0]
    assert read["metrics"] == {"loss": 0.5, "accuracy": None} and read["step"] == 10
    assert read["versions"]["jax"] == jax.__version__
    assert checkpoints.read_meta(10) == read
    draws = [jax.vmap(lambda k: jax.random.normal(k, (2,)))(s["keys"]) for s in (restored, state)]
    np.testing.assert_array_equal(*draws)


@pytest.mark.parametrize(("saved_on", "restored_on"), [(8, 2), (8, 1), (1, 8), (2, 8)])
def test_restores_on_another_number_of_devices(tmp_path, saved_on, restored_on):
    state, wanted = make_state(3, saved_on), abstract(make_state(0, restored_on))
    with Checkpointer(tmp_path, every=1) as checkpoints:
        checkpoints.save(1, state, META)
        restored, _, _ = checkpoints.restore(wanted)
    assert_same(restored, state)
    for leaf, want in zip(jax.tree.leaves(restored), jax.tree.leaves(wanted)):
        assert leaf.sharding == want.sharding and len(leaf.sharding.device_set) == restored_on


def test_restored_state_does_not_retrace_the_step(tmp_path):
    traces = []

    @jax.jit
    def step(state):
        traces.append(1)
        return jax.tree.map(lambda x: x if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x + x, state)

    state = make_state()
    step(state)
    with Checkpointer(tmp_path, every=1) as checkpoints:
        checkpoints.save(1, state, META)
        restored, _, _ = checkpoints.restore(abstract(state))
    step(restored)
    assert len(traces) == 1


def test_buffers_may_be_donated_at_once(tmp_path):
    """Whether a buffer that Orbax still reads is reused or copied is a matter of timing; what is saved must not be."""
    mesh = make_mesh()
    state = put({"a": jnp.arange(1 << 20, dtype=jnp.float32), "b": jnp.ones((512, 512))}, mesh)
    before = jax.tree.map(np.array, state)
    step = jax.jit(lambda s: jax.tree.map(lambda x: x * -3, s), donate_argnums=0)
    with Checkpointer(tmp_path, every=1) as checkpoints:
        checkpoints.save(1, state, META)
        new = step(step(state))
        assert_same(new, jax.tree.map(lambda x: x * 9, before))  # also waits for the steps, while the save goes on
        restored, _, _ = checkpoints.restore(abstract(new))
    assert_same(restored, before)


@pytest.mark.slow
def test_fingerprints_do_not_depend_on_devices_but_on_every_bit():
    def marks(x, devices=1):
        return fingerprints({"x": put(jnp.asarray(x), make_mesh(devices))})["x"]

    rng = np.random.default_rng(0)
    for dtype in (
        "float32",
        "bfloat16",
        "float16",
        "int8",
        "uint8",
        "int32",
        "complex64",
        "float8_e4m3fn",
        "int4",
        "bool",
    ):
        array = np.asarray(jnp.asarray(rng.integers(0, 2, (8, 6))).astype(dtype))
        assert marks(array, 8) == marks(array, 1)
        for _ in range(8):
            raw = bytearray(array.tobytes())
            used = {"int4": 4, "bool": 1}.get(dtype, 8)  # bits of a byte that belong to the element
            raw[rng.integers(len(raw))] ^= 1 << rng.integers(used)
            assert marks(np.frombuffer(raw, array.dtype).reshape(array.shape)) != marks(array)
    assert marks(np.float32([1, 2])) != marks(np.float32([2, 1]))
    assert marks(np.zeros((2, 3), np.float32)) != marks(np.zeros((7,), np.float32))


def test_saves_every_and_forced_and_each_step_once(tmp_path):
    state = make_state()
    with Checkpointer(tmp_path, every=3, keep=9) as checkpoints:
        assert [checkpoints.save(s, state, META) for s in range(1, 8)] == [
            False,
            False,
            True,
            False,
            False,
            True,
            False,
        ]
        assert checkpoints.save(7, state, META, force=True)
        assert not checkpoints.save(7, state, META, force=True)
        assert checkpoints.latest_step() in (6, 7)  # 7 may still be in flight
    assert Checkpointer(tmp_path, every=1).steps() == [3, 6, 7]
    again = Checkpointer(tmp_path, every=1)
    assert again.restore(abstract(state))[2] == 7
    assert not again.save(7, state, META, force=True)


def test_a_save_waits_for_the_one_in_flight(tmp_path):
    states = [put({"x": jnp.full((256, 1024), float(i))}, make_mesh()) for i in range(4)]
    with Checkpointer(tmp_path, every=1, keep=9) as checkpoints:
        assert all(checkpoints.save(i, s, META) for i, s in enumerate(states))
    for i, state in enumerate(states):
        assert_same(Checkpointer(tmp_path, every=1).restore(abstract(state), step=i)[0], state)


def test_keep_rules(tmp_path):
    state = put({"x": jnp.zeros(8)}, make_mesh())
    accuracy = {3: 0.9, 5: float("nan"), 6: 0.7}

    def save(steps):
        with Checkpointer(tmp_path, every=1, keep=2, keep_every=4, best="accuracy") as checkpoints:
            checkpoints.restore(abstract(state))
            for step in steps:
                checkpoints.save(step, state, META, {"accuracy": accuracy.get(step, 0.1)})

    save(range(1, 8))
    assert Checkpointer(tmp_path, every=1).steps() == [3, 4, 6, 7]
    save(range(8, 11))  # a resumed run knows the score of step 3 from the disk
    assert Checkpointer(tmp_path, every=1).steps() == [3, 4, 8, 9, 10]
    accuracy[11] = 0.95
    save(range(11, 14))
    assert Checkpointer(tmp_path, every=1).steps() == [4, 8, 11, 12, 13]


@pytest.mark.parametrize("option", ["every", "keep", "keep_every"])
def test_counts_below_one_are_refused(tmp_path, option):
    with pytest.raises(ValueError, match=f"{option}=0 must be at least 1"):
        Checkpointer(tmp_path, **{"every": 1, option: 0})
