"""Curves and clouds of points as SVG that takes its colours from the page around it."""

import io
import re
from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["curves", "points"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#7F7F7F")
"""Told apart by colour-blind people, too (Okabe and Ito, https://jfly.uni-koeln.de/color/), on white and on black; the last two
are ours."""
_INK = "#010203"  # stands for the page's text colour until the drawing is written


def curves(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, x: str, title: str, log: bool = False
) -> str:
    """Lines in one frame.

    Args:
      lines: name -> (x values, y values); a value that is not finite is a gap.
      x: what the x axis is.
      title: what is drawn, for those who cannot see it.
      log: both axes are logarithmic.

    Returns:
      An ``<svg>`` element.
    """
    figure, axes = _frame()
    for (name, (xs, ys)), colour in zip(lines.items(), _cycle(len(lines))):
        axes.plot(xs, ys, color=colour, label=name, linewidth=1.6, marker="o" if len(xs) < 3 else "", markersize=3)
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_xlabel(x)
    if len(lines) > 1:
        axes.legend(frameon=False, fontsize=8, labelcolor=_INK)
    return _svg(figure, title)


def points(places: np.ndarray, labels: np.ndarray | None, names: Sequence[str], *, title: str) -> str:
    """A cloud of points, (N, 2), coloured by class where there are labels; ``names`` by class."""
    figure, axes = _frame()
    groups = [(None, places)] if labels is None else [(c, places[labels == c]) for c in np.unique(labels)]
    for number, ((label, group), colour) in enumerate(zip(groups, _cycle(len(groups)))):
        marker = "o^sDv"[number // len(COLOURS) % 5]  # the colours come again with another shape
        name = None if label is None else names[label] if label < len(names) else str(label)
        axes.scatter(*group.T, s=7, color=colour, marker=marker, alpha=0.7, linewidths=0, label=name)
    if labels is not None and len(groups) <= 12:
        axes.legend(
            frameon=False, fontsize=7, labelcolor=_INK, markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5)
        )
    axes.set_xticks([])
    axes.set_yticks([])
    return _svg(figure, title)


def _cycle(count: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]


def _frame():
    from matplotlib.figure import Figure  # not pyplot: no window, no global state

    figure = Figure(figsize=(4.6, 2.9), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(alpha=0.15, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK, labelsize=8)
    axes.xaxis.label.set_color(_INK)
    for spine in axes.spines.values():
        spine.set_color(_INK)
    return figure, axes


def _svg(figure, title: str) -> str:
    import matplotlib

    file = io.StringIO()
    # Text stays text, in the page's font. The names of clip paths are hashed with the salt: many drawings share one page.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(
        r'(<svg[^>]*?) height="[^"]*"([^>]*?) width="[^"]*"|(<svg[^>]*?) width="[^"]*"([^>]*?) height="[^"]*"',
        _free,
        svg,
        count=1,
    )
    return svg.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)


def _free(match: re.Match) -> str:
    """The tag without its size in points: the page says how wide it is."""
    return "".join(part or "" for part in match.groups())
