"""Checkpoints: what is restored is what was saved, bit by bit, or an older whole one, or a clear error."""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jssl.train.checkpoint import Checkpointer
from jssl.train.fingerprint import fingerprints
from jssl.train.record import config_difference

AXES = ("data", "fsdp")
META = {"config": {"model": {"width": 16}, "optimizer": {"learning_rate": 0.1}}, "data": "f00d"}


def make_mesh(devices=8):
    shape = {8: (4, 2), 2: (1, 2), 1: (1, 1)}[devices]
    return Mesh(np.array(jax.devices()[:devices]).reshape(shape), AXES, axis_types=(AxisType.Auto,) * 2)


def put(tree, mesh):
    """Shards the first axis over all devices where it divides, replicates the rest: one layout rule for all meshes."""

    def place(x):
        fits = (
            x.ndim > 0
            and x.shape[0]
            and x.shape[0] % mesh.size == 0
            and not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        )
        return jax.device_put(x, NamedSharding(mesh, P(AXES) if fits else P()))

    return jax.tree.map(place, tree)


def make_state(seed=0, devices=8, width=16):
    """All that a run may hold: optimiser NamedTuples, bf16, integers, bools, NaN, -0.0, PRNG keys, an empty queue."""
    rng = np.random.default_rng(seed)
    kernel = rng.standard_normal((width, 24)).astype(np.float32)
    kernel[0, :4] = [np.nan, -0.0, np.inf, 1e-42]
    params = {
        "dense": {"kernel": jnp.asarray(kernel), "bias": jnp.zeros(width)},
        "norm.scale": jnp.ones(width, jnp.bfloat16) / 3,
    }
    state = {
        "step": jnp.int32(seed),
        "params": params,
        "opt_state": optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3)).init(params),
        "extra": {
            "queue": jnp.zeros((0, 4)),
            "mask": jnp.asarray(rng.integers(0, 2, width), bool),
            "image": jnp.asarray(rng.integers(0, 256, (width, 3)), jnp.uint8),
        },
        "key": jax.random.key(seed),
        "keys": jax.random.split(jax.random.key(seed, impl="rbg"), 3),
    }
    return put(state, make_mesh(devices))


def abstract(state):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state)


def bits(x):
    x = jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
    return np.asarray(x).tobytes()


def assert_same(restored, state):
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    for (path, a), b in zip(jax.tree.leaves_with_path(restored), jax.tree.leaves(state)):
        assert (a.shape, a.dtype) == (b.shape, b.dtype), path
        assert bits(a) == bits(b), path


def files(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file())


def names(folder):
    return sorted(p.name for p in pathlib.Path(folder).iterdir())


def flip(path, position, bit=3):
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def two_saves(folder, **options):
    with Checkpointer(folder, every=1, **options) as checkpoints:
        for step in (1, 2):
            assert checkpoints.save(step, make_state(step), META)
    return folder


# ---------------------------------------------------------------- what comes back


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


# ---------------------------------------------------------------- when it saves, and what stays


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


# ---------------------------------------------------------------- broken files


@pytest.mark.parametrize("place", [0.05, 0.3, 0.5, 0.7, 0.95])
def test_flipped_bit_in_the_arrays_falls_back(tmp_path, caplog, capfd, place):
    wide = 2048  # the kernel fills most of the data file
    states = {step: make_state(step, width=wide) for step in (1, 2)}
    with Checkpointer(tmp_path, every=1) as checkpoints:
        for step, state in states.items():
            checkpoints.save(step, state, META)
    data = max(files(tmp_path / "2"), key=lambda p: p.stat().st_size)
    flip(data, int(data.stat().st_size * place))
    capfd.readouterr()
    with Checkpointer(tmp_path, every=1) as checkpoints:
        restored, meta, step = checkpoints.restore(abstract(states[1]))
        assert step == meta["step"] == 1
        assert_same(restored, states[1])
        assert [r.name for r in caplog.records] == ["jssl.train.checkpoint"]
        message = caplog.records[0].getMessage()
        assert message.startswith(f"checkpoint 2 in {tmp_path} is not whole and is skipped: ") and "\n" not in message
        assert "Traceback" not in capfd.readouterr().err
        assert checkpoints.save(2, states[2], META)  # the broken one is written again
    caplog.clear()
    restored, _, step = Checkpointer(tmp_path, every=1).restore(abstract(states[1]))
    assert step == 2 and not caplog.records
    assert_same(restored, states[2])


def test_whatever_happens_to_any_file_no_wrong_value_is_restored(tmp_path):
    def small(step):
        return put({"x": jax.random.normal(jax.random.key(step), (16, 8)), "step": jnp.int32(step)}, make_mesh())

    states = {step: small(step) for step in (1, 2)}
    with Checkpointer(tmp_path / "run", every=1) as checkpoints:
        for step, state in states.items():
            checkpoints.save(step, state, META)
    wanted, steps = abstract(states[1]), []
    for path in files(tmp_path / "run" / "2"):
        whole = path.read_bytes()
        for harm in ("start", "middle", "cut", "gone"):
            if whole and harm in ("start", "middle"):
                flip(path, 0 if harm == "start" else len(whole) // 2)
            elif harm == "gone":
                path.unlink()
            else:
                path.write_bytes(whole[: len(whole) // 2])
            restored, meta, step = Checkpointer(tmp_path / "run", every=1).restore(wanted)
            assert_same(restored, states[step])
            assert meta["step"] == step, (path, harm)
            path.write_bytes(whole)
            steps.append(step)
    assert 10 < steps.count(1) < len(steps)  # harm was done; and a few files do not matter (the layout at the save)


def test_flipped_letter_in_the_record_is_not_taken_for_another_config(tmp_path, caplog):
    two_saves(tmp_path)
    record = tmp_path / "2" / "_CHECKPOINT_METADATA"
    text = record.read_text()
    for old, new in (("params/dense/kernel", "params/densd/kernel"), ('"width": 16', '"width": 17')):
        assert old in text
        record.write_text(text.replace(old, new))
        assert Checkpointer(tmp_path, every=1).restore(abstract(make_state()))[2] == 1
    assert [r.getMessage().split("skipped: ")[1] for r in caplog.records] == [
        "its record cannot be read: ValueError: its bits have changed"
    ] * 2
    with pytest.raises(ValueError, match="cannot read the record of .*/2: ValueError: its bits have changed"):
        Checkpointer(tmp_path, every=1).read_meta(2)


def test_nothing_whole_is_an_error_and_nothing_is_deleted(tmp_path, caplog):
    two_saves(tmp_path)
    for step in (1, 2):
        shutil.rmtree(tmp_path / str(step) / "state")
    before = files(tmp_path)
    checkpoints = Checkpointer(tmp_path, every=1)
    with pytest.raises(
        ValueError, match=r"nothing whole to restore in .*2: its arrays.*1: its arrays.*delete the folder"
    ):
        checkpoints.restore(abstract(make_state()))
    assert len(caplog.records) == 2
    with pytest.raises(ValueError, match="already holds step 2"):
        checkpoints.save(1, make_state(), META)
    assert files(tmp_path) == before


def test_empty_folders_and_strange_names(tmp_path, caplog):
    assert Checkpointer(tmp_path / "none", every=1).restore(abstract(make_state())) is None
    assert Checkpointer(tmp_path / "none", every=1).latest_step() is None
    assert not (tmp_path / "none").exists()  # reading makes nothing
    assert Checkpointer(tmp_path, every=1).restore(abstract(make_state())) is None
    assert not caplog.records
    two_saves(tmp_path)
    (tmp_path / "3").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "4").write_text("a file")
    assert Checkpointer(tmp_path, every=1).restore(abstract(make_state()))[2] == 2
    with pytest.raises(ValueError, match="is a file; name a folder"):
        Checkpointer(tmp_path / "notes.txt", every=1)


def test_leftovers_of_a_kill_are_removed_by_the_next_writer_only(tmp_path):
    two_saves(tmp_path)
    shutil.copytree(tmp_path / "2", tmp_path / "3.orbax-checkpoint-tmp")
    shutil.copytree(tmp_path / "2", tmp_path / "0.deleted")
    (tmp_path / "7.notes").mkdir()
    with Checkpointer(tmp_path, every=1, keep=5) as checkpoints:
        assert checkpoints.latest_step() == 2
        assert checkpoints.restore(abstract(make_state()))[2] == 2
        assert len(names(tmp_path)) == 5
        checkpoints.save(3, make_state(3), META)
    assert names(tmp_path) == ["1", "2", "3", "7.notes"]


# ---------------------------------------------------------------- which history


def test_another_model_is_an_error_that_names_the_leaves(tmp_path):
    two_saves(tmp_path)
    wanted = abstract(make_state(width=32))
    wanted["params"]["dense"]["bias"] = jax.ShapeDtypeStruct((16,), jnp.bfloat16)
    del wanted["extra"]["mask"]
    wanted["extra"]["centre"] = jax.ShapeDtypeStruct((4,), jnp.float32)
    config = {"model": {"width": 32}, "optimizer": {"learning_rate": 0.1}}
    with pytest.raises(ValueError) as error:
        Checkpointer(tmp_path, every=1).restore(wanted, config=config)
    text = str(error.value)
    assert "\n" not in text and str(tmp_path) in text
    assert "params/dense/kernel is float32(16, 24) in the checkpoint and float32(32, 24) here" in text
    assert "params/dense/bias is float32(16,) in the checkpoint and bfloat16(16,) here" in text
    assert "config: model.width: 16 -> 32;" in text
    assert ", only in the checkpoint: extra/mask, only here: extra/centre; config" in text
    del wanted["params"]
    with pytest.raises(
        ValueError, match=r"only in the checkpoint: extra/mask, params/norm.scale, params/dense/bias, par"
    ):
        Checkpointer(tmp_path, every=1).restore(wanted)


def test_another_kind_of_key_is_an_error(tmp_path):
    with Checkpointer(tmp_path, every=1) as checkpoints:
        checkpoints.save(1, {"key": jax.random.key(0)}, META)
        with pytest.raises(ValueError, match=r"key is key<fry>\(\) in the checkpoint and key<rbg>\(\) here"):
            checkpoints.restore({"key": jax.random.key(0, impl="rbg")})


def test_no_walking_back_to_an_older_checkpoint_that_happens_to_fit(tmp_path):
    with Checkpointer(tmp_path, every=1) as checkpoints:
        checkpoints.save(1, make_state(width=16), META)
        checkpoints.save(2, make_state(width=32), META)
    with pytest.raises(ValueError, match="step 2 .* is of another model"):
        Checkpointer(tmp_path, every=1).restore(abstract(make_state(width=16)))


def test_layout_that_does_not_fit_is_an_error(tmp_path):
    two_saves(tmp_path)
    wanted = abstract(make_state())
    wanted["params"]["dense"]["kernel"] = jax.ShapeDtypeStruct(
        (16, 24), jnp.float32, sharding=NamedSharding(make_mesh(), P(None, AXES))
    )
    assert Checkpointer(tmp_path, every=1).restore(wanted)[2] == 2
    wanted["extra"]["image"] = jax.ShapeDtypeStruct(
        (16, 3), jnp.uint8, sharding=NamedSharding(make_mesh(), P(None, AXES))
    )
    with pytest.raises(ValueError, match=r"extra/image \(16, 3\) cannot be laid out"):
        Checkpointer(tmp_path, every=1).restore(wanted)


def test_going_back_to_an_earlier_step(tmp_path, caplog):
    with Checkpointer(tmp_path, every=1, keep=9) as checkpoints:
        for step in (1, 2, 3, 5):
            checkpoints.save(step, make_state(step), META)
    with Checkpointer(tmp_path, every=1, keep=9) as checkpoints:
        with pytest.raises(ValueError, match="no step 4 in .*; it holds 1, 2, 3, 5"):
            checkpoints.restore(abstract(make_state()), step=4)
        restored, _, step = checkpoints.restore(abstract(make_state()), step=2)
        assert step == 2
        assert_same(restored, make_state(2))
        assert checkpoints.steps() == [1, 2, 3, 5]  # nothing goes before something new is whole
        checkpoints.save(3, make_state(33), META)
    assert "checkpoint 5 in" in caplog.text and "given up" in caplog.text
    assert names(tmp_path) == ["1", "2", "3"]
    assert_same(Checkpointer(tmp_path, every=1).restore(abstract(make_state()))[0], make_state(33))


def test_explicit_step_that_is_broken_is_an_error(tmp_path):
    two_saves(tmp_path)
    shutil.rmtree(tmp_path / "2" / "state")
    with pytest.raises(ValueError, match="nothing whole to restore .*restore another step"):
        Checkpointer(tmp_path, every=1).restore(abstract(make_state()), step=2)


def test_a_new_run_does_not_write_into_the_folder_of_another(tmp_path):
    two_saves(tmp_path)
    before = files(tmp_path)
    for step in (1, 2):
        with pytest.raises(ValueError, match=f"{tmp_path} already holds step 2; restore it or use another folder"):
            Checkpointer(tmp_path, every=1).save(step, make_state(), META)
    assert files(tmp_path) == before


def test_wrong_input_is_refused_before_anything_is_written(tmp_path):
    checkpoints = Checkpointer(tmp_path / "run", every=1)
    with pytest.raises(ValueError, match="every leaf of the state must be a jax.Array; these are not: a/b, c"):
        checkpoints.save(1, {"a": {"b": 1}, "c": np.zeros(3)}, META)
    with pytest.raises(ValueError, match="two leaves of the state share a name: a/b"):
        checkpoints.save(1, {"a": {"b": jnp.zeros(3)}, "a/b": jnp.zeros(3)}, META)
    with pytest.raises(ValueError, match="meta must be JSON: TypeError: Object of type object"):
        checkpoints.save(1, {"a": jnp.zeros(3)}, {"config": object()})
    assert not (tmp_path / "run").exists()


def test_config_difference():
    old = {"a": 1, "b": {"c": [1, 2], "d": float("nan")}, "e": True, "f": "1", "gone": None, "g": {}}
    new = {"a": 1.0, "b": {"c": (1, 2), "d": float("nan")}, "e": 1, "f": 1, "new": {"x": 0}, "g": {}}
    assert config_difference(old, new) == [
        "e: True -> 1",
        "f: '1' -> 1",
        "gone: None -> (absent)",
        "new.x: (absent) -> 0",
    ]
    assert config_difference(old, json.loads(json.dumps(old))) == []


# ---------------------------------------------------------------- the disk says no


class file_size_limit:
    """No file of this process may grow past this: the kernel's own EFBIG, as a full disk gives ENOSPC."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *error):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def big_state(seed):
    return put({"x": jax.random.normal(jax.random.key(seed), (512, 1024))}, make_mesh())


def assert_write_error(error, folder, step, number):
    text = str(error.value)
    assert text.startswith(
        f"checkpoint: step {step} could not be written to {folder}: {os.strerror(number)}; free space"
    )
    assert "\n" not in text and error.value.errno == number


@pytest.mark.parametrize("told_at", ["next save", "close", "exit"])
def test_a_disk_that_takes_no_more(tmp_path, caplog, capfd, told_at):
    states = {step: big_state(step) for step in (1, 2, 3)}
    checkpoints = Checkpointer(tmp_path, every=1)
    checkpoints.save(1, states[1], META)
    checkpoints.wait()
    with file_size_limit(1 << 18):
        if told_at == "exit":
            with pytest.raises(OSError) as error, checkpoints:
                checkpoints.save(2, states[2], META)
        else:
            checkpoints.save(2, states[2], META)  # asynchronous: it does not know yet
            with pytest.raises(OSError) as error:
                checkpoints.save(3, states[3], META) if told_at == "next save" else checkpoints.close()
    assert_write_error(error, tmp_path, 2, 27)
    assert "Traceback" not in capfd.readouterr().err and not caplog.records
    checkpoints.close()  # told once
    if told_at == "exit":
        assert checkpoints.restore(abstract(states[1]))[2] == 1
    assert checkpoints.save(2, states[2], META)  # there is room again
    checkpoints.close()
    assert names(tmp_path) == ["1", "2"]
    assert_same(checkpoints.restore(abstract(states[1]))[0], states[2])


def test_the_first_error_is_the_one_that_is_raised(tmp_path, caplog):
    with (
        file_size_limit(1 << 18),
        pytest.raises(KeyError, match="mine"),
        Checkpointer(tmp_path, every=1) as checkpoints,
    ):
        checkpoints.save(1, big_state(1), META)
        raise KeyError("mine")
    assert "could not be written" in caplog.text


def test_a_folder_that_may_not_be_written():
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        folder = pathlib.Path(parent) / "run"
        two_saves(folder)
        checkpoints, state = Checkpointer(folder, every=1), make_state(3)
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:  # root may write everywhere
            os.seteuid(65534)
        try:
            with pytest.raises(OSError) as error:
                checkpoints.restore(abstract(state))
                checkpoints.save(3, state, META)
        finally:
            if user == 0:
                os.seteuid(0)
            folder.chmod(0o755)
        assert_write_error(error, folder, 3, 13)
        assert names(folder) == ["1", "2"]
        assert checkpoints.save(3, state, META)
        checkpoints.close()


# ---------------------------------------------------------------- processes that die


def start(code, *arguments, devices=1):
    environment = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    root = str(pathlib.Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join([root, environment.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


KILLED = """
    import sys, jax, numpy as np
    from jssl.train.checkpoint import Checkpointer
    state = lambda seed: {"x": jax.device_put(np.random.default_rng(seed).random((2048, 8192), np.float32))}
    checkpoints = Checkpointer(sys.argv[1], every=1)
    checkpoints.save(1, state(1), {})
    checkpoints.wait()
    checkpoints.save(2, state(2), {})
    checkpoints.wait()
"""


def killed_while_saving(folder, delay):
    child = start(KILLED, folder)
    deadline = time.monotonic() + 300
    while not (folder / "2.orbax-checkpoint-tmp").exists():
        assert child.poll() is None and time.monotonic() < deadline, child.communicate()
        time.sleep(0.001)
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert names(folder) == ["1", "2.orbax-checkpoint-tmp"]

    def state(seed):
        return {"x": jax.device_put(np.random.default_rng(seed).random((2048, 8192), np.float32))}

    with Checkpointer(folder, every=1) as checkpoints:
        restored, _, step = checkpoints.restore(abstract(state(0)))
        assert step == 1
        assert_same(restored, state(1))
        assert checkpoints.save(2, state(2), META)
    assert names(folder) == ["1", "2"]
    assert_same(Checkpointer(folder, every=1).restore(abstract(state(0)))[0], state(2))


def test_killed_while_saving(tmp_path):
    killed_while_saving(tmp_path, delay=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.005, 0.05])
def test_killed_while_saving_at_other_moments(tmp_path, delay):
    killed_while_saving(tmp_path, delay)


CRASHED = """
    import sys, jax.numpy as jnp
    from jssl.train.checkpoint import Checkpointer
    checkpoints = Checkpointer(sys.argv[1], every=1)
    checkpoints.save(1, {"x": jnp.zeros((1024, 4096))}, {})
    raise SystemExit(3)
"""


@pytest.mark.slow
def test_a_crash_after_a_save_does_not_hang(tmp_path):
    child = start(CRASHED, tmp_path)
    child.communicate(timeout=300)  # Orbax's default would wait 20 minutes for a folder that nobody makes
    assert child.returncode == 3


TWO_PROCESSES = """
    import sys, jax, logging
    process, port, folder, task = int(sys.argv[1]), *sys.argv[2:]
    jax.config.update("jax_num_cpu_devices", 4)
    jax.distributed.initialize(f"localhost:{port}", num_processes=2, process_id=process)
    import numpy as np
    from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec as P
    from jssl.train.checkpoint import Checkpointer
    mesh = Mesh(np.array(jax.devices()).reshape(4, 2), ("data", "fsdp"), axis_types=(AxisType.Auto,) * 2)
    rows, whole = NamedSharding(mesh, P(("data", "fsdp"))), NamedSharding(mesh, P())
    make = lambda step: {"x": jax.random.bits(jax.random.key(step), (64, 1024)), "key": jax.random.key(step)}
    state = jax.jit(make, static_argnums=0, out_shardings={"x": rows, "key": whole})
    with Checkpointer(folder, every=1, keep=2) as checkpoints:
        abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state(0))
        found = checkpoints.restore(abstract)
        if found:
            same = all(np.array_equal(a.addressable_data(0), b.addressable_data(0)) for a, b in (
                (found[0]["x"], state(found[2])["x"]),
                (jax.random.key_data(found[0]["key"]), jax.random.key_data(state(found[2])["key"]))))
            print("restored", found[2], same)
        if task == "save":
            first = found[2] + 1 if found else 1
            for step in range(first, first + 3):
                checkpoints.save(step, state(step), {"config": {}})
    print("done")
"""


@pytest.mark.slow
def test_two_processes(tmp_path):
    import socket

    def both(task):
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            port = probe.getsockname()[1]
        children = [start(TWO_PROCESSES, process, port, tmp_path, task, devices=4) for process in range(2)]
        outputs = [child.communicate(timeout=300) for child in children]
        assert [child.returncode for child in children] == [0, 0], outputs
        return [[line for line in out.splitlines() if "[Gloo]" not in line] for out, _ in outputs]

    assert both("save") == [["done"]] * 2
    assert names(tmp_path) == ["2", "3"]
    state = put({"x": jax.random.bits(jax.random.key(3), (64, 1024)), "key": jax.random.key(3)}, make_mesh(2))
    assert_same(Checkpointer(tmp_path, every=1).restore(abstract(state))[0], state)  # one process, two devices
    for data in (tmp_path / "3").rglob("d/*"):
        if data.stat().st_size > 50_000:
            flip(data, data.stat().st_size // 2)
    assert both("save") == [["restored 2 True", "done"]] * 2
    assert names(tmp_path) == ["4", "5"]
    assert both("load") == [["restored 5 True", "done"]] * 2
