"""Several subjects, several protocols, side by side: an encoder means little without its baselines."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jssl.data.source import Spec
from jssl.diagnostics import collapse
from jssl.evaluation import classify, flow, retrieval, zero_shot
from jssl.evaluation.intervals import SUFFIX
from jssl.evaluation.remembered import remembered
from jssl.evaluation.selection import WORDS, is_selection
from jssl.evaluation.subject import Encoder, Subject
from jssl.evaluation.words import Asked, parse, values

__all__ = ["PROTOCOLS", "Protocol", "check", "evaluate"]


class Protocol(NamedTuple):
    """A way to turn features into figures.

    Attributes:
      needs: the readouts that it compares, by name (none for the default one, whatever its name) -> what an example must hold
        beside what they read. A subject must have the readouts of one entry. The option ``target`` names another field than
        ``label``.
      run: (subject, **options) -> figures, by name. Accuracies and recalls are shares. Its keyword arguments are the options,
        their defaults say of what type; those without one are none.
      named: options that the names of the figures tell already.
      network: it takes more than features: tokens, or the weights.
    """

    needs: Mapping[tuple[str, ...], tuple[str, ...]]
    run: Callable[..., dict[str, float]]
    named: tuple[str, ...] = ()
    network: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Their defaults, by name."""
        known = inspect.signature(self.run).parameters.values()
        return {p.name: p.default for p in known if p.kind is p.KEYWORD_ONLY}

    def fields(self, subject) -> list[tuple[str, ...]]:
        """The entries of ``needs`` whose readouts a subject has; all of them if it is None."""
        return [
            fields for readouts, fields in self.needs.items() if subject is None or {*readouts} <= {*subject.readouts}
        ]


def _collapse(subject: Subject) -> dict[str, float]:
    return collapse.summary(subject.features("test"))


def _zero_shot(subject: Subject) -> dict[str, float]:
    return zero_shot.evaluate(subject)


def _flow(subject: Subject) -> dict[str, float]:
    assert isinstance(subject, Encoder)  # as all that takes more than features
    return flow.endpoint_error(subject)


_LABELS: dict[tuple[str, ...], tuple[str, ...]] = {(): ("label",)}
PROTOCOLS: dict[str, Protocol] = {
    "knn": Protocol(_LABELS, classify.neighbours, named=("k",)),
    "linear": Protocol(_LABELS, classify.linear_probe),
    "few_labels": Protocol(_LABELS, classify.few_labels, named=("n",)),
    "attentive": Protocol(_LABELS, classify.attentive, network=True),
    "finetune": Protocol(_LABELS, classify.finetune, network=True),
    "collapse": Protocol({(): ()}, _collapse),
    "zero_shot": Protocol({("image", "text"): ("label",)}, _zero_shot),
    "retrieval": Protocol(retrieval.NEEDS, retrieval.evaluate),
    "flow": Protocol({("flow",): ("flow",)}, _flow, network=True),
}


def check(names: str | Sequence[str], subject=None, spec: Spec | None = None, *, data: str = "the data") -> list[str]:
    """What can be known before minutes are spent on features.

    Args:
      names: of protocols with their options, as ``jssl.evaluation.words.parse`` takes them.
      subject: a method or a ``Subject``, with ``name`` and ``readouts``; None asks nothing of it.
      spec: of the data; None asks nothing of them.
      data: what messages call the data.

    Returns:
      The protocols, without blanks and each once.

    Raises:
      ValueError: an unknown protocol or option, or a protocol that needs a readout or a field that is not there.

    >>> check("knn:k=5+20, linear")
    ['knn:k=5+20', 'linear']
    """
    asked = parse(names)
    for name, options in asked:
        if name not in PROTOCOLS:
            raise ValueError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
        protocol = PROTOCOLS[name]
        values(Asked(name, options), protocol.options)
        if not protocol.fields(subject):
            needs = ", or ".join(" and ".join(readouts) for readouts in protocol.needs)
            has = " and ".join(subject.readouts) or "none by name"
            raise ValueError(f"{name} needs the readouts {needs}; {subject.name} has {has}")
        words = options.get("features", "pooled")
        # The raw input has one kind of features, whatever is asked of the encoder beside it.
        if subject is not None and subject.readouts and not (words in subject.readouts or is_selection(words)):
            raise ValueError(f"{name}:features={words}: use {', '.join([*subject.readouts, *WORDS])}")
        lacking = [_lacking(fields, options, spec) for fields in protocol.fields(subject)]
        if all(lacking):
            raise ValueError(f"{name} needs {_plural(lacking[0][0])}; {data} has none")
    return [str(each) for each in asked]


def _able(asked: Asked, subject: Subject) -> bool:
    """Whether a subject has what a protocol takes."""
    protocol, words = PROTOCOLS[asked.name], asked.options.get("features", "pooled")
    if protocol.network and not isinstance(subject, Encoder):
        return False
    if asked.name == "finetune" and getattr(subject, "finetune", None) is None:
        return False
    if isinstance(subject, Encoder) and not subject.knows(words):
        return False
    return bool(protocol.fields(subject))


def _lacking(fields: tuple[str, ...], options: Mapping[str, str], spec: Spec | None) -> list[str]:
    """The fields, or what the options name in place of the label, that the data do not have."""
    named = [options.get("target", field) if field == "label" else field for field in fields]
    return [field for field in named if spec is not None and field not in spec]


def _plural(field: str) -> str:
    return field if field.endswith("s") else field + "s"


def evaluate(
    subjects: Mapping[str, Subject], *, protocols: str | Sequence[str] = ("knn", "linear")
) -> dict[str, dict[str, float]]:
    """Runs every protocol on every subject that has the readouts for it; what is known of a subject's ``key`` is remembered.

    Args:
      subjects: name -> what is evaluated.
      protocols: as ``check`` takes them.

    Returns:
      name -> figure -> float. Options that a figure's name does not tell follow it in brackets: ``linear[solver=sgd]``; the
      half width of a 95 % interval of several seeds ends in ``_ci95``. A subject without the readouts of a protocol, as the
      raw input has none for text, lacks its figures.

    Raises:
      ValueError: an unknown protocol, one that no subject has the readouts for, a field that the data lack.
    """
    names = parse(check(protocols))
    results: dict[str, dict[str, float]] = {name: {} for name in subjects}
    for asked in names:
        able = [subject for subject in subjects.values() if _able(asked, subject)]
        for subject in able or subjects.values():
            check([str(asked)], subject, subject.spec)
    for name, subject in subjects.items():
        for asked in names:
            if _able(asked, subject):
                results[name] |= _figures(asked, subject)
    return results


def _figures(asked: Asked, subject: Subject) -> dict[str, float]:
    protocol = PROTOCOLS[asked.name]
    run, key = functools.partial(protocol.run, subject, **values(asked, protocol.options)), subject.key
    reads = {} if "features" in asked.options else {k: v for k, v in subject.reads.items() if k == asked.name}
    found = run() if key is None else remembered([*key, str(asked), reads], run)
    untold = (
        option for option in asked.options if option not in (*protocol.named, "seeds")
    )  # an interval tells of seeds
    told = ",".join(f"{option}={asked.options[option]}" for option in untold)
    return {_named(figure, told): value for figure, value in found.items()}


def _named(figure: str, told: str) -> str:
    """The name of a figure with the options in brackets, before what ends the name of a half width.

    >>> _named("linear_ci95", "solver=sgd")
    'linear[solver=sgd]_ci95'
    """
    name = figure.removesuffix(SUFFIX)
    return (f"{name}[{told}]" if told else name) + (SUFFIX if figure != name else "")
