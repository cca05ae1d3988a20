"""What a person sees of a run: a bar in a terminal, plain lines at a human pace elsewhere, a summary at the end."""

import pathlib
import sys
import time

from tqdm import tqdm

from jssl.train.replaced import FILE_NAME as REPLACED

__all__ = ["Progress"]

_PACE = 5.0, 300.0  # seconds between plain lines: at first, at most
_NAMES = {"loss": "loss", "eval/loss": "held-out", "eval/knn": "knn"}  # of metrics that are shown


class Progress:
    """Progress of a run on stderr.

    Args:
      batch_size: examples per step, global.
      shown: False says nothing at all.
    """

    def __init__(self, batch_size: int, *, shown: bool):
        self._batch_size, self._shown = batch_size, shown
        self._start = self._steps = 0
        self._figures: dict[str, float] = {}
        self._began = self._due = self._first = time.monotonic()
        self._bar: tqdm | None = None

    def begin(self, start: int, steps: int) -> None:
        """The step it starts at, and how many the whole run has."""
        self._start, self._steps = start, steps
        if start:
            self.say(f"resumed from step {start} of {steps}" + ("; finished" if start == steps else ""))
        if start < steps:
            self.say("compiling the step; what is compiled is kept, so the next start is quicker")
            if self._shown and sys.stderr.isatty():
                self._bar = tqdm(total=steps, initial=start, unit="step", dynamic_ncols=True, mininterval=1)

    def say(self, text: str) -> None:
        """One line, above the bar where there is one."""
        if self._shown:
            tqdm.write(f"jssl: {text}", file=sys.stderr)
            sys.stderr.flush()

    def first_step(self) -> None:
        """The first step is done, and with it the compilation."""
        self._first = time.monotonic()
        self.say(f"first step done after {duration(self._first - self._began)}")

    def step(self) -> None:
        """One more step."""
        if self._bar is not None:
            self._bar.update()

    def figures(self, done: int, metrics: dict) -> None:
        """New metrics after ``done`` steps. They stay until newer ones come; lines come more rarely the longer it takes."""
        self._figures |= metrics
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(", ".join((*figures_text(self._figures), *self._rate())), refresh=False)
        elif now >= self._due and done < self._steps:  # of the last step the summary tells
            first, longest = _PACE
            self._due = now + min(max(first, (now - self._began) / 20), longest)
            share = f"step {done}/{self._steps} ({100 * done / self._steps:.0f} %)"
            self.say(", ".join((share, *figures_text(self._figures), *self._rate(), *self._left(done))))

    def _rate(self) -> list[str]:
        """None is known before the first line of the log, which an evaluation may come before."""
        return [f"{rate:.3g} examples/s"] if (rate := self._figures.get("examples_per_second")) else []

    def _left(self, done: int) -> list[str]:
        rate = self._figures.get("examples_per_second")
        return [f"{duration((self._steps - done) * self._batch_size / rate)} left"] if rate else []

    def finish(self, folder: pathlib.Path, replaced: int) -> None:
        """The summary.

        Args:
          folder: the workdir.
          replaced: how many examples ``replaced.txt`` lists.
        """
        self.close()
        now, steps = time.monotonic(), self._steps - self._start
        rate = (steps - 1) * self._batch_size / max(now - self._first, 1e-9)
        # A single step has compiled, so its rate says nothing.
        speed = f", {rate:.3g} examples/s with all pauses" if rate else ""
        self.say(f"finished: {steps} steps in {duration(now - self._began)}{speed}")
        if self._figures:
            self.say(f"at the end: {', '.join(figures_text(self._figures))}; all figures are in {folder}/metrics.jsonl")
        if replaced:
            self.say(f"{replaced} unreadable examples were replaced by others; {folder}/{REPLACED} lists them")
        self.say(
            f"next: jssl evaluate --workdir {folder}, or jssl embed --workdir {folder} --data <source> --out features.npz"
        )

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def figures_text(metrics: dict) -> list[str]:
    """The figures that a person looks at first, as text.

    >>> figures_text({"loss": 2.0, "eval/knn": 0.5, "grad_norm": 1.0})
    ['loss 2.000', 'knn 50.0 %']
    """

    def text(name, value):
        return f"{100 * value:.1f} %" if name == "eval/knn" else f"{value:.3f}"

    return [f"{shown} {text(name, metrics[name])}" for name, shown in _NAMES.items() if name in metrics]


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(8.24), duration(75), duration(7500), duration(200_000)
    ('8.2 s', '1 min 15 s', '2 h 5 min', '55 h 33 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
