"""The compilation cache: on by default, where the user's caches are, out of the way of whoever set one up."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import jax
from jssl import compilation_cache
compilation_cache.enable()
print(jax.config.jax_compilation_cache_dir)
print(jax.config.jax_compilation_cache_max_size)
jax.jit(lambda x: x * 2 + 3)(1.0)
"""


def run(**environment):
    cleared = {name: value for name, value in os.environ.items() if "CACHE" not in name}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env={**cleared, **environment}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def programs(folder):
    return sorted(path.name for path in folder.rglob("*-cache"))


@pytest.mark.slow
def test_programs_are_kept_for_the_next_process(tmp_path):
    caches = {"XDG_CACHE_HOME": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    folder, limit = run(**caches)
    assert folder.startswith(str(tmp_path / "jssl" / "xla")) and int(limit) > 0
    kept = programs(tmp_path)
    assert any("lambda" in name for name in kept)
    run(**caches)
    assert programs(tmp_path) == kept


def test_what_a_person_has_set_stays(tmp_path):
    folder, limit = run(JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"), XDG_CACHE_HOME=str(tmp_path))
    assert folder == str(tmp_path / "own") and limit == "-1"
    assert not (tmp_path / "jssl").exists()


@pytest.mark.slow
def test_several_processes_share_one(tmp_path):
    command = [sys.executable, "-c", PROGRAM]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=300)[1] for process in processes] == [""] * 4
    assert not any(process.returncode for process in processes)
