"""Docstrings as the docs site wants them: formulas between dollars, doctests in a block."""

import re

import griffe


class Docstrings(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_object(self, *, obj, **_):
        if obj.docstring:
            obj.docstring.value = rewritten(obj.docstring.value)


def rewritten(text: str) -> str:
    """``.. math::`` and ``:math:`` become $$ and $, runs of ``>>>`` a fenced block."""
    text = re.sub(r":math:`([^`]+)`", r"$\1$", text)
    lines = []
    for paragraph in re.split(r"\n\s*\n", text):
        indent = re.match(r"\s*", paragraph)[0]
        body = paragraph.strip()
        if body.startswith(".. math::"):
            paragraph = f"{indent}$${' '.join(body.removeprefix('.. math::').split())}$$"
        elif body.startswith(">>>"):
            paragraph = f"{indent}```pycon\n{paragraph.rstrip()}\n{indent}```"
        lines.append(paragraph)
    return "\n\n".join(lines)
