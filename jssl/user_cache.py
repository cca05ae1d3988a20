"""Where this user's caches are: what can be made again, and may be deleted at any time."""

import os

__all__ = ["folder"]


def folder(name: str) -> str:
    """``$XDG_CACHE_HOME/jssl/<name>``, or ``~/.cache/jssl/<name>``; not made.

    Args:
      name: of the cache: ``tokens``, ``xla``.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "jssl", name)
