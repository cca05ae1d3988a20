"""metrics.jsonl stays valid JSON, whole and free of doubles, whatever happened to the run before."""

import contextlib
import json
import os
import resource
import struct
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from jssl.train.metrics import MetricsWriter, read_metrics


def lines(folder):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = (folder / "metrics.jsonl").read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def write_steps(folder, steps, **options):
    with MetricsWriter(folder, tensorboard=False, **options) as metrics:
        for step in steps:
            metrics.write(step, {"loss": step / 2})


def test_numbers_of_every_kind(tmp_path):
    values = {
        "float": 0.1,
        "int": 3,
        "flag": True,
        "text": "warm-up",
        "numpy": np.float64(0.2),
        "numpy_int": np.int64(4),
        "jax": jnp.float32(0.5),
        "bf16": jnp.bfloat16(1.5),
        "one": jnp.ones((1, 1)),
        "count": jnp.int32(7),
    }
    with MetricsWriter(tmp_path / "new" / "folder", tensorboard=False) as metrics:
        metrics.write(np.int64(5), values)
    expected = {**values, "jax": 0.5, "bf16": 1.5, "one": 1.0, "count": 7, "numpy_int": 4, "numpy": 0.2}
    assert lines(tmp_path / "new" / "folder") == [{"step": 5, **expected}]


def test_nonfinite_values_become_null_and_are_named(tmp_path):
    with MetricsWriter(tmp_path, tensorboard=False) as metrics:
        metrics.write(0, {"loss": float("nan"), "good": 1.0, "up": jnp.float32(np.inf), "down": -np.inf})
        metrics.write(1, {"loss": 1.0})
    assert lines(tmp_path) == [
        {"step": 0, "loss": None, "good": 1.0, "up": None, "down": None, "nonfinite": ["loss", "up", "down"]},
        {"step": 1, "loss": 1.0},
    ]


def test_every_line_is_on_disk_when_write_returns(tmp_path):
    metrics = MetricsWriter(tmp_path, tensorboard=False)
    for step in range(3):
        metrics.write(step, {"loss": 1.0})
        assert len(lines(tmp_path)) == step + 1
    metrics.close()
    metrics.close()


def test_resume_drops_what_will_be_written_again(tmp_path):
    write_steps(tmp_path, [0, 1, 2, 3, 3, 4])
    write_steps(tmp_path, [3, 4, 5], start_step=3)
    assert [entry["step"] for entry in lines(tmp_path)] == [0, 1, 2, 3, 4, 5]
    assert read_metrics(tmp_path) == lines(tmp_path)
    write_steps(tmp_path, [], start_step=9)
    assert len(lines(tmp_path)) == 6
    write_steps(tmp_path, [0])  # a new start
    assert [entry["step"] for entry in lines(tmp_path)] == [0]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


@pytest.mark.parametrize(
    "torn", [b'{"step": 2, "lo', b'{"step": 2, "name": "\xc3', b'{"step"', b"\x00\x00", b"12", b"{}"]
)
def test_torn_last_line_is_dropped_and_told(tmp_path, caplog, torn):
    write_steps(tmp_path, [0, 1])
    with open(tmp_path / "metrics.jsonl", "ab") as file:
        file.write(torn)
    assert [entry["step"] for entry in read_metrics(tmp_path)] == [0, 1]
    write_steps(tmp_path, [2, 3], start_step=2)
    assert [entry["step"] for entry in lines(tmp_path)] == [0, 1, 2, 3]
    assert "1 unreadable line(s) dropped" in caplog.text


def test_last_line_without_its_newline_is_kept(tmp_path, caplog):
    write_steps(tmp_path, [0, 1])
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    write_steps(tmp_path, [2], start_step=2)
    assert [entry["step"] for entry in lines(tmp_path)] == [0, 1, 2]
    assert not caplog.records


def test_wrong_metrics_are_refused_and_nothing_is_written(tmp_path):
    with MetricsWriter(tmp_path, tensorboard=False) as metrics:
        with pytest.raises(ValueError, match=r"histogram has shape \(3,\); reduce it to one number"):
            metrics.write(0, {"loss": 1.0, "histogram": jnp.zeros(3)})
        for name in ("step", "nonfinite"):
            with pytest.raises(ValueError, match=f"the name '{name}' is taken"):
                metrics.write(0, {name: 1.0})
    assert lines(tmp_path) == []


@contextlib.contextmanager
def largest_file(size):
    """No file of this process may grow past this: the kernel's own refusal, as a full disk's."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_leaves_no_torn_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with MetricsWriter(tmp_path, tensorboard=False) as metrics:
        metrics.write(0, {"loss": 1.0})
        with largest_file(path.stat().st_size + 10), pytest.raises(OSError) as error:
            metrics.write(1, {"loss": 2.0})
        assert str(error.value).startswith(f"metrics: cannot write {path}: {os.strerror(27)}; free space there")
        assert error.value.errno == 27
        assert [entry["step"] for entry in lines(tmp_path)] == [0]
        metrics.write(2, {"loss": 3.0})
    assert [entry["step"] for entry in lines(tmp_path)] == [0, 2]


def test_a_workdir_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"metrics: cannot write .*metrics.jsonl: (Not a directory|File exists); free"):
        MetricsWriter(tmp_path / "file" / "run", tensorboard=False)


def test_tensorboard_is_asked_for_and_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)  # as Python sees a package that is not there
    with pytest.raises(ValueError, match=r"tensorboard=True needs tensorboardX: pip install 'jssl\[tensorboard\]'"):
        MetricsWriter(tmp_path, tensorboard=True)
    assert not list(tmp_path.iterdir())
    with MetricsWriter(tmp_path) as metrics:
        metrics.write(0, {"loss": 1.0})
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_tensorboard_events(tmp_path):
    with MetricsWriter(tmp_path) as metrics:  # written because the package is installed
        metrics.write(7, {"loss": 0.5, "bad": float("nan"), "text": "x"})
    assert scalars(tmp_path / "tensorboard") == [(7, "loss", 0.5)]


def test_a_sink_whose_disk_is_full_costs_one_warning_and_nothing_else(tmp_path, caplog):
    """The writer's own thread used to die of it, and the run waited for ever to hand it the next event."""
    values = {f"metric{i}": float(i) for i in range(50)}  # two to three times the bytes in events than in a line
    with MetricsWriter(tmp_path, tensorboard=True) as metrics, largest_file(4096):
        for step in range(4):
            metrics.write(step, values)
    assert [line["step"] for line in lines(tmp_path)] == [0, 1, 2, 3]
    (record,) = caplog.records
    assert "TensorBoard gets nothing more: " in record.message and "File too large" in record.message


def scalars(folder):
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.iterdir()
    data, found = path.read_bytes(), []
    while data:  # length, its checksum, the event, its checksum
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        data = data[16 + length :]
    return found


WANDB = """
import sys
from jssl.train.metrics import MetricsWriter

for start in (0, 8):  # a run, then the same one resumed
    with MetricsWriter(sys.argv[1], start_step=start, tensorboard=False, wandb="shapes", config={"seed": 5}) as metrics:
        metrics.write(start + 7, {"loss": 0.4375 + start, "bad": float("nan")})
"""


@pytest.mark.slow
def test_weights_and_biases_offline(tmp_path):
    folder = tmp_path / "run"
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", WANDB, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    name = (folder / "wandb_id").read_text()
    files = sorted((folder / "wandb").glob(f"offline-run-*/run-{name}.wandb"))
    data = b"".join(file.read_bytes() for file in files)
    assert all(word in data for word in (b"shapes", b"seed", b"loss", b"0.4375", b"8.4375")) and b"NaN" not in data
    assert [line["loss"] for line in lines(folder)] == [0.4375, 8.4375]


def test_weights_and_biases_is_asked_for_and_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ValueError, match=r"wandb=shapes needs wandb: pip install 'jssl\[wandb\]'"):
        MetricsWriter(tmp_path, wandb="shapes")
    assert not list(tmp_path.iterdir())
