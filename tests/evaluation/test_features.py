"""Feature extraction: order, padding, one compilation, any devices, bounded reading."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import textwrap

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import AUDIO, Arrays, Counting, Readout

from jssl import sharding
from jssl.evaluation import extract, stream
from jssl.evaluation.reading import AHEAD, ahead, batches
from jssl.models.features import Features

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 8, 8, 3), np.uint8)
LABELS = np.arange(11, dtype=np.int32) % 3
SOURCE = Arrays(image=IMAGES, label=LABELS)


def prepare(example):
    assert example["image"].shape == (8, 8, 3)
    return example["image"].astype(jnp.float32) / 255


def encode(params, extra, images):
    """(B, 2): depends on the image and on nothing else."""
    return Features(params * jnp.stack([images.mean((1, 2, 3)), images[:, 0, 0, 0]], 1) + extra["shift"])


READOUT = Readout(prepare, encode)
EXPECTED = 2.0 * np.stack([IMAGES.mean((1, 2, 3)), IMAGES[:, 0, 0, 0]], 1) / 255


def variables(scale=2.0, shift=0.0):
    return jnp.float32(scale), {"shift": jnp.float32(shift)}


@pytest.mark.parametrize("batch_size", [1, 4, 11, 64])
def test_every_image_once_in_order(batch_size):
    features = extract(READOUT, variables(), SOURCE, batch_size=batch_size)
    assert features.dtype == np.float32 and isinstance(features, np.ndarray)
    np.testing.assert_allclose(features, EXPECTED, rtol=1e-5)
    np.testing.assert_allclose(extract(READOUT, variables(shift=1.0), SOURCE), EXPECTED + 1, rtol=1e-5)


def test_indices_choose_and_order():
    chosen = [7, 0, 7, 10, 3]
    for indices in (chosen, iter(chosen), np.array(chosen)):
        features = extract(READOUT, variables(), SOURCE, indices=indices, batch_size=2)
        np.testing.assert_allclose(features, EXPECTED[chosen], rtol=1e-5)


def test_devices_change_nothing():
    mesh = sharding.make_mesh(fsdp=2)
    for layout in (
        sharding.batch_sharding(mesh),
        jax.NamedSharding(mesh, jax.P("data")),
        jax.NamedSharding(mesh, jax.P()),
    ):
        features = extract(READOUT, variables(), SOURCE, batch_size=8, sharding=layout)
        np.testing.assert_allclose(features, EXPECTED, rtol=1e-5)


def test_one_compilation_for_all_batches_and_all_checkpoints():
    chex.clear_trace_counter()
    once = Readout(prepare, chex.assert_max_traces(encode, 1))
    for scale in (1.0, 2.0):
        for count in (11, 5):
            features = extract(once, variables(scale), SOURCE, indices=range(count), batch_size=4)
            np.testing.assert_allclose(features, EXPECTED[:count] * scale / 2, rtol=1e-5)


def test_bfloat16_features_come_back_as_float32():
    readout = Readout(prepare, lambda params, extra, x: Features(x.mean((1, 2)).astype(jnp.bfloat16)))
    features = extract(readout, variables(), SOURCE, batch_size=4)
    assert features.dtype == np.float32 and features.shape == (11, 3)


def test_a_stream_brings_fields_along():
    parts = list(stream(READOUT, variables(), SOURCE, batch_size=4, fields=["label", "image"]))
    assert [len(part["features"]) for part in parts] == [4, 4, 3]
    np.testing.assert_allclose(np.concatenate([part["features"] for part in parts]), EXPECTED, rtol=1e-5)
    np.testing.assert_array_equal(np.concatenate([part["label"] for part in parts]), LABELS)
    np.testing.assert_array_equal(np.concatenate([part["image"] for part in parts]), IMAGES)


def test_padding_is_an_example():
    """Zeros may be none: a picture of height 0 has no aspect."""
    readout = Readout(lambda example: 1 / example["audio"], lambda params, extra, x: Features(x))
    with jax.debug_nans(True), jax.debug_infs(True):
        features = extract(readout, ((), {}), Counting(5), indices=[1, 2, 4], batch_size=2)
    np.testing.assert_allclose(features, [[1, 1], [0.5, 1], [0.25, 1]])


def test_reading_stays_a_few_batches_ahead():
    source, size, taken = Counting(1_000_000), 8, 0
    parts = stream(AUDIO, (jnp.float32(1), {}), source, batch_size=size)
    for _ in range(20):
        part = next(parts)
        np.testing.assert_array_equal(part["features"][:, 0], np.arange(taken, taken + size))
        taken += len(part["features"])
        # The one handed over, the one on the device, and those that wait.
        assert taken <= source.reads.sum() <= taken + (AHEAD + 1) * size
    parts.close()
    assert source.reads.sum() <= taken + (AHEAD + 1) * size


def test_every_example_is_read_once():
    source = Counting(2003)
    assert extract(AUDIO, (jnp.float32(1), {}), source, batch_size=64).shape == (2003, 2)
    assert (source.reads == 1).all()


def test_reading_without_a_network_is_bounded_too():
    source = Counting(10_000)
    parts = batches(source, 8)
    for count in range(1, 9):
        part = next(parts)
        assert part["audio"].shape == (8, 2) and part["label"][0] == 8 * (count - 1) % 7
        assert source.reads.sum() <= (count + AHEAD) * 8


def test_what_fails_while_reading_ahead_fails_here():
    def read(item):
        if item == 5:
            raise ValueError("cannot read 5")
        return item

    seen = []
    with pytest.raises(ValueError, match="cannot read 5"):
        seen.extend(ahead(read, range(100)))
    with pytest.raises(ValueError, match="cannot read 5"):
        for item in ahead(read, range(100)):
            seen.append(item)
    assert seen == [0, 1, 2, 3, 4] * 2


def test_errors_name_what_does_not_fit():
    mesh = sharding.make_mesh(jax.devices()[:4])
    with pytest.raises(ValueError, match="no examples"):
        extract(READOUT, variables(), SOURCE, indices=[])
    with pytest.raises(ValueError, match="no examples"):
        stream(READOUT, variables(), Counting(0))  # before anything is asked of it
    with pytest.raises(ValueError, match="batch_size=0 holds no example"):
        extract(READOUT, variables(), SOURCE, batch_size=0)
    with pytest.raises(ValueError, match="the source has no size; it has image, label"):
        stream(READOUT, variables(), SOURCE, fields=["label", "size"])
    with pytest.raises(ValueError, match="batch_size=6 is not a multiple of the 4 devices"):
        extract(READOUT, variables(), SOURCE, batch_size=6, sharding=sharding.batch_sharding(mesh))
    with pytest.raises(ValueError, match=r"must give \(B, D\) features, not \(4, 8, 8, 3\)"):
        extract(Readout(prepare, lambda params, extra, x: Features(x)), variables(), SOURCE, batch_size=4)
    with pytest.raises(ValueError, match=r"must give \(B, D\) features, not None"):
        extract(Readout(prepare, lambda params, extra, x: Features(None, x)), variables(), SOURCE, batch_size=4)


TWO_PROCESSES = """
    import sys
    import jax
    jax.distributed.initialize(sys.argv[2], 2, int(sys.argv[1]))
    import jax.numpy as jnp, numpy as np
    from hand_made import AUDIO, Counting
    from jssl import sharding
    from jssl.evaluation import stream
    assert jax.device_count() == 4
    source = Counting(13)
    layout = sharding.batch_sharding(sharding.make_mesh())
    params = jax.device_put(jnp.float32(2), jax.NamedSharding(layout.mesh, jax.P()))
    parts = list(stream(AUDIO, (params, {}), source, batch_size=8, sharding=layout, fields=["label"]))
    features, labels = (np.concatenate([part[name] for part in parts]) for name in ("features", "label"))
    np.testing.assert_array_equal(features, np.stack([2 * np.arange(13), np.full(13, 2)], 1))
    np.testing.assert_array_equal(labels, np.arange(13) % 7)
    print(np.flatnonzero(source.reads).tolist())
"""


@pytest.mark.slow
def test_each_process_reads_its_own_rows_and_gets_all():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    root = pathlib.Path(__file__).parents[2]
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    environment["PYTHONPATH"] = os.pathsep.join([str(root), str(root / "tests/evaluation")])
    command = [sys.executable, "-c", textwrap.dedent(TWO_PROCESSES)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    children = [subprocess.Popen([*command, str(rank), address], **pipes) for rank in range(2)]
    outputs = [child.communicate(timeout=120) for child in children]
    assert all(child.returncode == 0 for child in children), outputs
    assert [json.loads(out.splitlines()[-1]) for out, _ in outputs] == [[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12]]
