"""What a mistyped name was probably meant to be, for the end of an error message."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that is most like ``word``, or all of them.

    >>> nearest("adamq", ["adamw", "sgd"]), nearest("x", ["adamw", "sgd"])
    ("; did you mean 'adamw'?", '; there are adamw, sgd')
    """
    known = list(known)
    found = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else f"; there are {', '.join(known)}"
