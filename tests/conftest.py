"""Eight CPU devices, strict promotion and full-precision products for every test; the parity report of golden tests."""

import itertools
import os
import pathlib

# Before jax starts: the device count is read once.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# LLVM's optimisation is half of a test's time and changes no result that a test asks for; XLA's own passes all run.
os.environ["XLA_FLAGS"] = " ".join(
    (
        os.environ.get("XLA_FLAGS", ""),
        "--xla_force_host_platform_device_count=8",
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
    )
)

import golden
import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_default_matmul_precision", "float32")


# They hold no examples, and as modules of doctests their one name would be taken twice.
collect_ignore_glob = ["*/conftest.py"]


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory):
    """One on-disk cache for all workers of a test run: the same tiny step is compiled once, not once per test."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")  # what this user's own caches hold must not decide a test
    jax.config.update("jax_compilation_cache_dir", str(folder / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    yield


_tests = itertools.count()


@pytest.fixture(autouse=True)
def bounded_memory_maps():
    """Every compiled program holds memory maps, and a process that reaches the kernel's limit (65,530) crashes."""
    yield
    maps = pathlib.Path("/proc/self/maps")
    if next(_tests) % 10 == 0 and maps.exists() and maps.read_bytes().count(b"\n") > 25_000:
        jax.clear_caches()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Hands what the golden asserts noted to the test's report, which pytest-xdist brings to the main process."""
    golden.take_records()  # of imports and fixtures: no test of its own
    try:
        return (yield)
    finally:
        item.user_properties += [("golden", record) for record in golden.take_records()]


def pytest_terminal_summary(terminalreporter, config):
    """Ends ``pytest -m golden`` with the parity report."""
    asked = config.getoption("markexpr")
    if "golden" not in asked or "not golden" in asked:
        return
    reports = [r for of_outcome in terminalreporter.stats.values() for r in of_outcome]
    calls = [r for r in reports if getattr(r, "when", None) == "call"]
    if records := [value for r in calls for name, value in r.user_properties if name == "golden"]:
        terminalreporter.section("golden: errors beside their bounds, each the one that used most of its bound")
        for line in golden.parity_report(records):
            terminalreporter.write_line(line)
