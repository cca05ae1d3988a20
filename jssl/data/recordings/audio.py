"""Sound files in folders and archives."""

import fnmatch
import hashlib
import posixpath
import re

import jax
import numpy as np

from jssl.data.files.archive import read
from jssl.data.files.found import find
from jssl.data.files.names import is_sound
from jssl.data.files.readable import ReadSource, fingerprint
from jssl.data.files.shares import evenly_spaced
from jssl.data.files.splits import arrange
from jssl.data.parallel import parallel_map
from jssl.data.source import About, NoSplit

__all__ = ["AudioSource"]


class AudioSource(ReadSource):
    """Windows of sound files, one channel at one rate: ``audio`` (T,) int16, ``length`` () int32, how many samples of it are
    sound, with zeros behind them, and, where they are known, ``label`` () int32 and ``speaker`` () int32.

    A file that is longer than a window is several, one after the other; what is left at its end is one more where it is at
    least half a window. Channels are averaged, and any rate is resampled to one.

    Files lie as pictures do, <class>/<sound>, or train/<class>/<sound> with test/ or val/ beside it, or sounds alone; see
    `jssl.data.files.splits.arrange`. Or their names say more: of ``pattern={label}_{speaker}_{}`` the three words of
    7_jackson_31.wav, of which the last is nobody's. The pattern is of the end of the name, without its extension, and may hold
    slashes: ``{speaker}/{}/{}`` reads LibriSpeech. A name that it does not fit has no label and no speaker.

    Args:
      path: the folder, or a glob; or the paths or globs of archives, separated by commas.
      split: "train", "test" or "all".
      rate: samples per second.
      seconds: T / rate.
      pattern: where in the names class and speaker are, {label} and {speaker}; {} is anything. None is folders. Labels that
        are numbers keep their value.
      test: the names, without folders and extension, that are held out, with the wild cards of a shell: ``*_[0-4]``. None
        is folders, or ``holdout``.
      limit: at most so many files, evenly from the classes.
      holdout: part of each class that is "test" where nothing says so.
      on_error: "raise", or "skip": an unreadable sound is replaced by the next readable one and noted in `replaced`.

    Raises:
      ValueError: if there is no sound, or an option is out of range.
    """

    WHAT = "sounds"
    OPTIONS = {
        "rate": int,
        "seconds": (int, float),
        "pattern": str,
        "test": str,
        "limit": int,
        "holdout": (int, float),
        "on_error": str,
    }

    def __init__(
        self,
        path,
        split="train",
        *,
        rate=16_000,
        seconds=10.0,
        pattern=None,
        test=None,
        limit=None,
        holdout=0.1,
        on_error="raise",
    ):
        self._samples = round(rate * seconds)
        if rate < 1 or self._samples < 1:
            raise ValueError(f"rate={rate}, seconds={seconds}; use at least 1, and one sample")
        self._sounds = _reader()  # before anything is looked for
        files = find(path, is_sound, "sound")
        told = [_named(name, pattern) for name in files.names]
        paths = [_beside(name, test) for name in files.names]
        classes = [words.get("label") for words in told] if pattern else files.classes
        share = 0.0 if test else holdout
        found = arrange(paths, classes, holdout=share, title=f"audio:{path}", what="sound")
        chosen, labels, class_names = found.select(split, limit)
        if not len(chosen):
            raise NoSplit(f'no sound is left for split "{split}" of audio:{path}')
        names, self._places = [files.names[i] for i in chosen], [files.places[i] for i in chosen]
        super().__init__(names, on_error)
        self._rate, self._seconds = rate, seconds
        counts = parallel_map(self._windows, range(len(names)))
        self._files = np.repeat(np.arange(len(names)), counts)
        self._numbers = np.concatenate([np.arange(count) for count in counts])
        self.names = names if max(counts) == 1 else [names[i] for i in self._files]
        speakers = tuple(sorted({words["speaker"] for words in told if "speaker" in words}))
        self.about = About(class_names=class_names, sample_rate=rate, speakers=speakers)
        number = {name: i for i, name in enumerate(speakers)}
        who = [number.get(told[i].get("speaker", "")) for i in chosen]
        self._fields = {} if labels is None else {"label": np.asarray(labels, np.int32)}
        if speakers and None not in who:
            self._fields["speaker"] = np.asarray(who, np.int32)
        self.spec = {
            "audio": jax.ShapeDtypeStruct((self._samples,), np.int16),
            "length": jax.ShapeDtypeStruct((), np.int32),
            **{name: jax.ShapeDtypeStruct((), np.int32) for name in self._fields},
        }
        contents = [self._digest(i) for i in evenly_spaced(len(names))]
        contents += [values.tobytes() for values in self._fields.values()]
        self.fingerprint = fingerprint(names, contents, rate, self._samples, counts, class_names, speakers)
        self.summary = found.summary(split)
        if len(self._files) > len(names):
            self.summary += f", {len(self._files)} windows of {seconds} s"
        if speakers:
            self.summary += f", {len(speakers)} speakers"

    def __len__(self):
        return len(self._files)

    def name(self, index):
        """The file."""
        return self.names[index]

    def example(self, index):
        """A window, and what is known of its file."""
        file = int(self._files[index])
        samples = self._sounds.window(
            read(self._places[file]), int(self._numbers[index]), seconds=self._seconds, rate=self._rate
        )[: self._samples]
        audio = np.zeros(self._samples, np.int16)
        audio[: len(samples)] = samples
        example = {"audio": audio, "length": np.asarray(len(samples), np.int32)}
        return example | {name: values[file] for name, values in self._fields.items()}

    def _windows(self, file: int) -> int:
        """Of a file; one that cannot be read is one, and what is wrong is said when it is asked for."""
        try:
            duration = self._sounds.duration(read(self._places[file]))
        except (ValueError, OSError):
            return 1
        return max(1, int(duration / self._seconds + 0.5))

    def _digest(self, file: int) -> bytes:
        try:
            return hashlib.blake2b(read(self._places[file])).digest()
        except OSError:
            return b"unreadable"


def _named(name: str, pattern: str | None) -> dict[str, str]:
    """What a pattern reads off a name.

    >>> _named("recordings/7_jackson_31.wav", "{label}_{speaker}_{}")
    {'label': '7', 'speaker': 'jackson'}
    """
    if pattern is None:
        return {}
    parts = re.split(r"(\{\w*\})", pattern)
    unknown = {part for part in parts if re.fullmatch(r"\{\w*\}", part)} - {"{label}", "{speaker}", "{}"}
    if unknown or not {"{label}", "{speaker}"} & set(parts):
        told = f"{min(unknown)} is not known" if unknown else "it names neither"
        raise ValueError(f"pattern={pattern}: {told}; use {{label}}, {{speaker}}, and {{}} for anything")
    expression = "".join(
        f"(?P<{part[1:-1]}>[^/]+?)"
        if part in ("{label}", "{speaker}")
        else "[^/]*?"
        if part == "{}"
        else re.escape(part)
        for part in parts
    )
    match = re.search(f"(?:^|/){expression}$", posixpath.splitext(name)[0])
    return match.groupdict() if match else {}


def _beside(name: str, test: str | None) -> str:
    """The name in a folder of its split, where ``test`` says which are held out."""
    if test is None:
        return name
    stem = posixpath.splitext(posixpath.basename(name))[0]
    return f"{'test' if fnmatch.fnmatchcase(stem, test) else 'train'}/{name}"


def _reader():
    """What reads sound files: libsndfile is not everybody's."""
    try:
        from jssl.data.recordings import sound_files
    except ModuleNotFoundError as error:
        raise ValueError("sounds take soundfile and soxr: pip install 'jssl[audio]'") from error
    return sound_files
