"""Docstrings as the docs site wants them: formulas as MathML, which browsers draw by themselves, and doctests in a block."""

import re

import griffe
from latex2mathml.converter import convert


class Docstrings(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_object(self, *, obj, **_):
        if obj.docstring:
            obj.docstring.value = rewritten(obj.docstring.value)


def rewritten(text: str) -> str:
    """``.. math::`` and ``:math:`` become MathML, runs of ``>>>`` a fenced block."""
    text = re.sub(r":math:`([^`]+)`", lambda found: convert(found[1]), text)
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text):
        indent = re.match(r"\s*", paragraph)[0]
        body = paragraph.strip()
        if body.startswith(".. math::"):
            formula = " ".join(body.removeprefix(".. math::").split())
            paragraph = f'{indent}<div class="formula">{convert(formula, display="block")}</div>'
        elif body.startswith(">>>"):
            paragraph = f"{indent}```pycon\n{paragraph.rstrip()}\n{indent}```"
        paragraphs.append(paragraph)
    return "\n\n".join(paragraphs)
