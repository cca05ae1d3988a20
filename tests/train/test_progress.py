"""What a person sees of a run: lines at a human pace, a bar in a terminal, the summary, the list of what was replaced."""

import contextlib
import fcntl
import io
import os
import pty
import struct
import termios
import types

import pytest

from jssl.data import open_source
from jssl.train import progress as module
from jssl.train.progress import Progress
from jssl.train.replaced import write_replaced


@pytest.fixture
def clock(monkeypatch):
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_plain_lines_come_at_a_human_pace_and_no_rate_is_zero(clock, capsys, tmp_path):
    with Progress(2, shown=True) as progress:
        progress.begin(0, 100_000)
        progress.first_step()
        for step in range(1, 100_001):  # ten hours, a line of the log each 3.6 s
            progress.step()
            clock.now += 0.36
            if step % 10 == 0:
                progress.figures(step, {"loss": 1.5, "examples_per_second": 0.004})
            if step == 50_000:
                progress.figures(step, {"eval/knn": 0.25})
        progress.finish(tmp_path, replaced=3)
    lines = capsys.readouterr().err.splitlines()
    assert 100 < len(lines) < 250 and all(line.startswith("jssl: ") for line in lines)
    assert "step 10/100000 (0 %), loss 1.500, 0.004 examples/s" in lines[2]
    assert "knn 25.0 %" in lines[-5] and "h 0 min left" not in lines[-5]
    assert lines[-4].startswith("jssl: finished: 100000 steps in 10 h 0 min, 5.56 examples/s")
    assert lines[-3:] == [
        f"jssl: at the end: loss 1.500, knn 25.0 %; all figures are in {tmp_path}/metrics.jsonl",
        f"jssl: 3 unreadable examples were replaced by others; {tmp_path}/replaced.txt lists them",
        f"jssl: next: jssl evaluate --workdir {tmp_path}, or jssl embed --workdir {tmp_path} --data <source> --out features.npz",
    ]


def test_an_evaluation_may_come_before_any_rate_is_known(capsys):
    progress = Progress(2, shown=True)
    progress.begin(0, 10)
    progress.first_step()
    progress.figures(1, {"eval/loss": 2.0})
    assert capsys.readouterr().err.splitlines()[-1] == "jssl: step 1/10 (10 %), held-out 2.000"


def test_a_resumed_run_says_so(capsys):
    Progress(2, shown=True).begin(5, 10)
    Progress(2, shown=True).begin(10, 10)
    told = capsys.readouterr().err
    assert "resumed from step 5 of 10\n" in told and "resumed from step 10 of 10; finished\n" in told


def test_a_terminal_gets_a_bar(monkeypatch):
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 150, 0, 0))  # rows, columns
    with os.fdopen(terminal, "w") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        with Progress(4, shown=True) as progress:
            progress.begin(0, 2)
            progress.figures(1, {"loss": 2.0, "examples_per_second": 8.0})
            progress.step()
            progress.say("a line")
        stderr.flush()
        os.set_blocking(main, False)
        shown = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                shown += os.read(main, 65536)
    os.close(main)
    assert b"| 1/2 [" in shown and b"loss 2.000, 8 examples/s" in shown and b"jssl: a line" in shown


def test_nothing_is_said_where_nothing_is_asked_for(capsys, tmp_path):
    with Progress(2, shown=False) as progress:
        progress.begin(1, 3)
        progress.first_step()
        progress.figures(2, {"loss": 1.0, "examples_per_second": 1.0})
        progress.finish(tmp_path, replaced=1)
    assert capsys.readouterr() == ("", "")


def test_what_was_replaced_is_listed_by_name_over_several_starts(tmp_path):
    from PIL import Image

    photos = tmp_path / "photos"
    photos.mkdir()
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    for number in range(6):
        (photos / f"{number}.png").write_bytes(b"torn" if number in (1, 4) else picture.getvalue())
    spec = f"folder:{photos}?on_error=skip"
    for index, listed in ((0, 0), (1, 1), (4, 2), (1, 2)):
        source = open_source(spec, "all")
        source[index]
        assert write_replaced(tmp_path, source, None) == listed
        assert (tmp_path / "replaced.txt").exists() == (listed > 0)
    assert (tmp_path / "replaced.txt").read_text() == "train\t1.png\ntrain\t4.png\n"
    made = open_source("synthetic:num_examples=20", "test")
    made.note_replaced(3)
    assert write_replaced(tmp_path, source, made) == 3 and "test\t3\n" in (tmp_path / "replaced.txt").read_text()
