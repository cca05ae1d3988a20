"""Files of runs, read without jax and broken on purpose: the hands of benchmarks/faults.py."""

import io
import json
import pathlib
import struct
import tarfile
import zlib

import numpy as np
from PIL import Image

RECORD = "_CHECKPOINT_METADATA"


def record(workdir: pathlib.Path, step: int) -> dict:
    """What a checkpoint says about itself."""
    text = (workdir / "checkpoints" / str(step) / RECORD).read_text()
    return json.loads(text)["custom_metadata"]["jssl"]


def fingerprints(workdir: pathlib.Path, step: int) -> dict[str, str]:
    """Array -> its fingerprint, taken before it was saved."""
    return {name: leaf["fingerprint"] for name, leaf in record(workdir, step)["leaves"].items()}


def losses(workdir: pathlib.Path) -> dict[int, float]:
    """Step -> the loss of a run, as it logged it."""
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def loss_difference(workdir: pathlib.Path, other: pathlib.Path) -> float:
    """The largest relative difference of the losses of two runs, of ``other``'s steps; AssertionError above 1e-4."""
    found, wanted = losses(workdir), losses(other)
    difference = max(abs(found[step] - loss) / abs(loss) for step, loss in wanted.items())
    assert difference < 1e-4, f"losses differ by {difference:.1e}"
    return difference


def arrays(checkpoint: pathlib.Path) -> list[pathlib.Path]:
    """The files that hold arrays, the largest first."""
    return sorted(checkpoint.glob("state/**/d/*"), key=lambda file: -file.stat().st_size)


def cut_short(checkpoint: pathlib.Path) -> None:
    file = arrays(checkpoint)[0]
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip_a_bit(checkpoint: pathlib.Path) -> None:
    file = arrays(checkpoint)[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def empty(checkpoint: pathlib.Path) -> None:
    for file in checkpoint.rglob("*"):
        if file.is_file():
            file.write_bytes(b"")


def delete_record(checkpoint: pathlib.Path) -> None:
    (checkpoint / RECORD).unlink()


def children(pid: int) -> list[int]:
    """Processes started by one, below it at any depth, that read data."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            command = (stat.parent / "cmdline").read_text()
        except OSError:  # it has ended meanwhile
            continue
        child = int(stat.parent.name)
        if parent == pid:
            found += [child] if "spawn_main" in command else []
            found += children(child)
    return found


def reads_pictures(method: str) -> bool:
    """Whether a method trains on pictures alone, with classes or without."""
    from jssl.methods import REGISTRY

    return REGISTRY[method].reads == ("image",) and not set(REGISTRY[method].asks) - {"labels"}


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def damaged_pictures(folder: pathlib.Path) -> pathlib.Path:
    """80 pictures in two classes, and among them one without a byte, one cut short, one of four gigapixels."""
    for number in range(80):
        file = folder / f"class{number % 2}" / f"{number:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(number))
    (folder / "class0" / "010.png").write_bytes(b"")
    (folder / "class0" / "020.png").write_bytes(picture(20)[:200])
    (folder / "class0" / "030.png").write_bytes(bomb())
    return folder


def bomb() -> bytes:
    """A small file that says it is a picture of four gigapixels."""
    content = bytearray(picture(30))
    content[16:24] = struct.pack(">II", 65000, 65000)  # width and height, in the first chunk
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def damaged_archives(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Two tars of 80 pictures: one cut short, one with members that would land outside."""
    folder.mkdir(parents=True)
    paths = folder / "short.tar", folder / "escaping.tar"
    for path in paths:
        with tarfile.open(path, "w") as archive:
            for number in range(80):
                _add(archive, f"class{number % 2}/{number:03}.png", picture(number))
            if path.name == "escaping.tar":
                _add(archive, "../escaped.png", picture(80))
                _add(archive, str(folder.parent.parent / "escaped.png"), picture(81))
    paths[0].write_bytes(paths[0].read_bytes()[: paths[0].stat().st_size // 2])
    return paths


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
