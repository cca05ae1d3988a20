"""Looks out for a collapse while a run is under way, where the untrained encoder's figures are not at hand."""

from collections.abc import Mapping

from jssl.diagnostics.verdict import at_one_point, few_named, mute_targets, narrow

__all__ = ["Watch"]


class Watch:
    """Judges the figures of one evaluation after the other.

    Attributes:
      in_a_row: how many of the latest evaluations showed a collapse.

    >>> watch = Watch()
    >>> watch({"feature_std": 0.6, "mean_cosine": 0.6, "rankme": 40.0})
    ''
    >>> watch({"feature_std": 0.5, "mean_cosine": 0.7, "rankme": 6.0}), watch.in_a_row
    ('features use few directions: RankMe 6.0, at best 40.0', 1)
    """

    def __init__(self):
        self._best = 0.0
        self._spoke = False  # targets begin undecided, which is no collapse
        self.in_a_row = 0

    def __call__(self, figures: Mapping[str, float]) -> str:
        """What shows a collapse; empty if nothing does.

        Args:
          figures: ``feature_std``, ``mean_cosine``, ``rankme`` and, where there are prototypes, ``target_entropy`` and
            ``prototype_perplexity``, or, where there is a quantiser, ``codes_per_group``.
        """
        self._best = max(self._best, figures["rankme"])
        mute = mute_targets(figures)
        self._spoke |= not mute
        fell = few_named(figures) or (mute if self._spoke else "")
        told = at_one_point(figures) or fell or narrow(figures["rankme"], self._best, of="at best")
        self.in_a_row = self.in_a_row + 1 if told else 0
        return told
