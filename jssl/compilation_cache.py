"""Compiled programs kept on disk, so that a command that was run before starts without compiling again.

JAX keeps the programs; here is where, and how many. Its own settings win: ``JAX_COMPILATION_CACHE_DIR`` names another
folder, ``JAX_COMPILATION_CACHE_MAX_SIZE`` another bound in bytes, ``JAX_ENABLE_COMPILATION_CACHE=false`` turns it off.
"""

import hashlib
import os
import pathlib
import platform

import jax

from jssl import user_cache

__all__ = ["enable"]

_SETTINGS = {
    # With a bound JAX evicts what was used longest ago, and takes a lock, which makes several processes safe.
    "jax_compilation_cache_max_size": 4 << 30,
    "jax_persistent_cache_min_compile_time_secs": 0.1,  # what compiles faster than that is not worth a file
}


def enable() -> None:
    """Turns the persistent compilation cache on, in the user's cache folder, unless a folder has been named already.

    Programs are kept apart by the processor's instruction set: home folders are shared by machines that differ, and a
    program for one may not run on another.
    """
    if jax.config.jax_compilation_cache_dir is not None:
        return
    for name, value in _SETTINGS.items():
        if name.upper() not in os.environ:
            jax.config.update(name, value)
    jax.config.update("jax_compilation_cache_dir", os.path.join(user_cache.folder("xla"), _processor()))


def _processor() -> str:
    """A short digest of the instruction set of this machine's processor."""
    about = platform.machine()
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        about += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:  # no Linux: a home folder is rarely shared there
        pass
    return hashlib.blake2b(about.encode(), digest_size=6).hexdigest()
