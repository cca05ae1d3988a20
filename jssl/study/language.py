"""``jssl study language``: reading from left to right or hiding tokens, with equal networks on equal text."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from jssl.data import ArraySource, stack
from jssl.data.text import tokenizers
from jssl.evaluation import Encoder, linear
from jssl.evaluation.intervals import over_seeds
from jssl.report.evaluate import table
from jssl.report.run import load_run
from jssl.study.frame import Run, Study, sources
from jssl.study.words import commonest, word_pairs

__all__ = ["STUDY", "hidden_places"]

DATA = "synthetic_text:num_examples=4000,length=64"
STEPS, SEEDS = 400, 3
SIZE = (
    "method.encoder.width=64",
    "method.encoder.depth=2",
    "data.batch_size=32",
    "optimizer.warmup=5 %",
    "run.eval_every=0",
)
ROWS = 500
"""Rows of each split that are read, at most."""
WORDS = 50
"""The commonest words that the probe tells apart."""
FIGURES = {"continuation": "next token", "infilling": "hidden token", "probe": "word before"}


@dataclasses.dataclass(frozen=True)
class Trained(Run):
    """A row.

    Attributes:
      method: ``causal_lm`` or ``masked_lm``.
      seed: of its run.
    """

    method: str = ""
    seed: int = 0


def rows(data: str | None, full: bool) -> Sequence[Trained]:
    """Both methods with the network, batches and steps of one another, from several seeds, or from one if full."""
    if full:
        at = (f"data.source={data}",) if data else ()
        equal = (*at, "data.batch_size=480", "steps=600000")
        return (
            Trained("causal_lm_0", "causal", "causal_lm:gpt2,books", at, method="causal_lm"),
            Trained("masked_lm_0", "masked", "masked_lm:bert_base,books", equal, method="masked_lm"),
        )
    changes = (f"data.source={data or DATA}", f"steps={STEPS}", *SIZE)
    return [
        Trained(f"{name}_{seed}", says, f"{name}:small,stories", (*changes, f"seed={seed}"), method=name, seed=seed)
        for seed in range(SEEDS)
        for name, says in (("causal_lm", "causal"), ("masked_lm", "masked"))
    ]


def measure(row: Trained, folder: pathlib.Path) -> dict:
    """What is found of a run, on held-out rows.

    Returns:
      ``method``, ``seed``; shares: ``continuation``, tokens that it names from what stands before them; ``infilling``, from both
      sides, where the method reads both; ``probe``, words named by a linear probe from the features of the end of the word after
      them, and ``untrained_probe``; ``common_token`` and ``common_word``, those that naming the commonest gets right.
    """
    loaded = load_run(folder)
    splits = sources(loaded, row.on)
    read = {split: stack(source, range(min(ROWS, len(source)))) for split, source in splits.items()}
    tokens, segments = (read["test"][name] for name in ("tokens", "segments"))
    index, places = hidden_places(segments)
    tokens, segments = tokens[index], segments[index]
    targets = tokens[np.arange(len(index)), places]
    before = np.arange(tokens.shape[1])[None] < places[:, None]

    embedding = np.asarray(loaded.state.params["encoder"]["embedding"], np.float32)
    vocabulary = splits["test"].about.vocabulary
    encoder = loaded.encoder(splits)

    def right(tokens, segments, at) -> float:
        features = _tokens(loaded, tokens, segments)[np.arange(len(at)), at]
        return float(np.mean((features @ embedding[:vocabulary].T).argmax(1) == targets))

    if row.method == "causal_lm":
        found = {"continuation": right(tokens, np.where(before, segments, 0), places - 1)}
    else:  # the mask is the token behind those of the data
        hidden = tokens.copy()
        hidden[np.arange(len(index)), places] = vocabulary
        shown = before | (np.arange(tokens.shape[1])[None] == places[:, None])
        found = {
            "continuation": right(hidden, np.where(shown, segments, 0), places),
            "infilling": right(hidden, segments, places),
        }
    pairs = {
        split: word_pairs(part["tokens"], part["segments"], _pieces(splits[split])) for split, part in read.items()
    }
    words = commonest([word for *_, word in pairs["train"]], WORDS)
    probe, untrained = (_probe(subject, pairs, words) for subject in (encoder, loaded.encoder(splits, trained=False)))
    named = [word for *_, word in pairs["test"] if word in words]
    return {
        "method": row.method,
        "seed": row.seed,
        **found,
        "probe": probe,
        "untrained_probe": untrained,
        "common_token": float(np.mean(targets == np.bincount(read["train"]["tokens"].ravel()).argmax())),
        "common_word": named.count(words[0]) / len(named),
        "places": len(targets),
    }


def hidden_places(segments: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A place in the second half of each row, of a token whose document has begun before it.

    Args:
      segments: (N, L) integers, the document of each token; 0 is padding.
      seed: of the draw.

    Returns:
      (n,), the rows that have one, and (n,), the places.

    >>> index, places = hidden_places(np.array([[1, 1, 1, 1], [1, 1, 2, 0]]))
    >>> index.tolist(), places.tolist()[0] in (2, 3)
    ([0], True)
    """
    known = (segments[:, 1:] == segments[:, :-1]) & (segments[:, 1:] > 0)
    known = np.pad(known, ((0, 0), (1, 0)))
    known[:, : segments.shape[1] // 2] = False
    draws = np.random.default_rng(seed).random(segments.shape)
    index = np.flatnonzero(known.any(1))
    return index, np.where(known, draws, -1.0).argmax(1)[index]


def _tokens(loaded, tokens: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """(N, L, D) features of rows."""
    source = ArraySource({"tokens": tokens.astype(np.int32), "segments": segments.astype(np.int32)})
    parts = loaded.encoder({"": source}, batch_size=ROWS).stream("", tokens=True)
    return np.concatenate([part["features"] for part in parts])


def _pieces(source) -> list[str]:
    """What each token stands for."""
    tokenizer = tokenizers.make(source.about.tokenizer)
    return [tokenizer.decode([token]) for token in range(source.about.vocabulary)]


def _probe(subject: Encoder, pairs: dict, words: Sequence[str]) -> float:
    found: list[Any] = []
    for split in ("train", "test"):
        count = min(ROWS, len(subject.source(split)))
        parts = subject.stream(split, tokens=True, indices=range(count))
        features = np.concatenate([part["features"] for part in parts])
        kept = [(row, place, words.index(word)) for row, place, word in pairs[split] if word in words]
        row, place, label = np.array(kept).T
        found += [features[row, place], label]
    return linear.linear_probe(*found, num_classes=len(words))["accuracy"]


def together(found: list[dict], folder: pathlib.Path) -> dict:
    """``methods``, the means over seeds with half widths of 95 % intervals, and ``gap``, causal minus masked, seed by seed."""
    del folder
    runs: dict[str, dict[int, dict]] = {}
    for row in found:
        figures = {name: row[name] for name in (*FIGURES, "untrained_probe") if name in row}
        runs.setdefault(row["method"], {})[row["seed"]] = figures
    told: dict[str, Any] = {"methods": {}}
    for method, by_seed in runs.items():
        told["methods"][method] = _mean(list(by_seed.values()))
    if len(runs) == 2 and (both := sorted(set.intersection(*map(set, runs.values())))):
        first, second = runs["causal_lm"], runs["masked_lm"]
        names = [name for name in first[both[0]] if name in second[both[0]]]
        told["gap"] = _mean([{name: first[seed][name] - second[seed][name] for name in names} for seed in both])
    return told


def _mean(draws: list[dict]) -> dict:
    return over_seeds(lambda number: draws[number], len(draws))


def markdown(found: dict) -> str:
    """Methods x figures, %, with their intervals, the gap, and what costs nothing."""
    shown = dict(found["methods"])
    if "gap" in found:
        shown["causal minus masked"] = found["gap"]
    first = found["rows"][0]
    shown["the commonest"] = {
        "continuation": first["common_token"],
        "infilling": first["common_token"],
        "probe": first["common_word"],
    }
    names = {**FIGURES, "untrained_probe": "word before, untrained"}
    names |= {f"{name}_ci95": f"{told}_ci95" for name, told in names.items()}
    return table(
        {row: {names[key]: round(100 * value, 1) for key, value in figures.items()} for row, figures in shown.items()},
        head="% right",
    )


def _line(row: dict) -> str:
    return ", ".join(f"{told} {100 * row[name]:.1f} %" for name, told in FIGURES.items() if name in row)


STUDY = Study(rows, measure, markdown, _line, together)
