"""The losses that compare a whole batch, beside the same losses with all comparisons in memory: bytes, and time.

python benchmarks/blocked_losses.py [--out benchmarks/results/blocked_losses.md] [--rounds 9]

Bytes are the compiler's figure of the temporary memory of one of eight devices, for value and gradient of the global batch; only
compiled, not run. Times are of one device, the two forms in turn; the ratio is the median of the pairs' ratios.
"""

import argparse
import functools
import os
import pathlib
import statistics
import time

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jssl import objectives

WIDTH, TEMPERATURE = 128, 0.1
BATCHES, TIMED = (1024, 4096, 16384, 65536), (1024, 4096)


def whole(rows, columns):
    """All comparisons, the two forms of which are the same product in the library and here."""
    return jnp.einsum("nd,md->nm", rows, columns, precision=lax.Precision.HIGHEST)


def gathered(x, axis_name):
    return x if axis_name is None else lax.all_gather(x, axis_name, tiled=True)


def own(rows, columns, axis_name):
    """Which column is the row itself."""
    first = 0 if axis_name is None else lax.axis_index(axis_name) * rows
    return first + jnp.arange(rows)[:, None] == jnp.arange(columns)[None, :]


def averaged(losses, axis_name):
    return jnp.mean(losses) if axis_name is None else lax.pmean(jnp.mean(losses), axis_name)


def unit(x):
    return x * lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(x), -1, keepdims=True), 1e-12))


def whole_pick(rows, columns, axis_name):
    logits = whole(rows, gathered(columns, axis_name)) / TEMPERATURE
    picked = jnp.sum(jnp.where(own(*logits.shape, axis_name), logits, 0.0), 1)
    return averaged(jax.nn.logsumexp(logits, 1) - picked, axis_name)


def whole_views(a, b, labels, axis_name):
    views, labels = jnp.concatenate([unit(a), unit(b)]), jnp.concatenate([labels, labels])
    logits = whole(views, gathered(views, axis_name)) / TEMPERATURE
    is_own = own(*logits.shape, axis_name)
    positive = (labels[:, None] == gathered(labels, axis_name)[None, :]) & ~is_own
    picked = jnp.sum(jnp.where(positive, logits, 0.0), 1) / jnp.sum(positive, 1).astype(jnp.float32)
    return averaged(jax.nn.logsumexp(jnp.where(is_own, -jnp.inf, logits), 1) - picked, axis_name)


def numbers(a, axis_name):
    return (0 if axis_name is None else lax.axis_index(axis_name) * len(a)) + jnp.arange(len(a))


def whole_moco_v3(a, b, c, d, axis_name=None):
    a, b, c, d = unit(a), unit(b), *lax.stop_gradient((unit(c), unit(d)))
    return 2 * TEMPERATURE * (whole_pick(a, d, axis_name) + whole_pick(b, c, axis_name))


def whole_siglip(a, b, axis_name=None):
    logits = whole(a, gathered(b, axis_name)) / TEMPERATURE - 10.0
    signs = jnp.where(own(*logits.shape, axis_name), -1.0, 1.0)
    return averaged(jnp.sum(jax.nn.softplus(signs * logits), 1), axis_name)


def some_labels(a):
    return (10.0 * lax.stop_gradient(a[:, 0])).astype(jnp.int32)


def sup_con(a, b, **options):
    return objectives.sup_con_loss(a, b, some_labels(a), temperature=TEMPERATURE, **options)


# name: (the library's, the whole form, arrays)
LOSSES = {
    "nt_xent": (
        functools.partial(objectives.nt_xent, temperature=TEMPERATURE),
        lambda a, b, axis_name=None: whole_views(a, b, numbers(a, axis_name), axis_name),
        2,
    ),
    "info_nce": (
        functools.partial(objectives.info_nce, temperature=TEMPERATURE),
        lambda a, b, axis_name=None: whole_pick(unit(a), unit(b), axis_name),
        2,
    ),
    "moco_v3_loss": (functools.partial(objectives.moco_v3_loss, temperature=TEMPERATURE), whole_moco_v3, 4),
    "sup_con_loss": (sup_con, lambda a, b, axis_name=None: whole_views(a, b, some_labels(a), axis_name), 2),
    "clip_loss": (
        functools.partial(objectives.clip_loss, logit_scale=1 / TEMPERATURE),
        lambda a, b, axis_name=None: (whole_pick(a, b, axis_name) + whole_pick(b, a, axis_name)) / 2,
        2,
    ),
    "siglip_loss": (
        functools.partial(objectives.siglip_loss, logit_scale=1 / TEMPERATURE, logit_bias=-10.0),
        whole_siglip,
        2,
    ),
}


def temporary(function, arrays: int, batch: int) -> int:
    """Bytes of one of all devices, for value and gradients."""
    mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = (jax.P("data"),) * arrays
    local = jax.value_and_grad(functools.partial(function, axis_name="data"), range(arrays))
    mapped = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=split, out_specs=(jax.P(), split)))
    compiled = mapped.lower(*[jax.ShapeDtypeStruct((batch, WIDTH), np.float32)] * arrays).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def times(name: str, batch: int, rounds: int) -> tuple[float, float, float]:
    """Seconds of the library's and of the whole form, and the median of their pairs' ratios; their values must agree."""
    ours, reference, arrays = LOSSES[name]
    keys = jax.random.split(jax.random.key(0), arrays)
    inputs = [unit(jax.random.normal(key, (batch, WIDTH))) for key in keys]
    forms = [jax.jit(jax.value_and_grad(form, range(arrays))) for form in (ours, reference)]
    (a, _), (b, _) = (jax.block_until_ready(form(*inputs)) for form in forms)
    np.testing.assert_allclose(a, b, rtol=1e-5)
    taken = []
    for _ in range(rounds):
        pair = []
        for form in forms:
            start = time.perf_counter()
            jax.block_until_ready(form(*inputs))
            pair.append(time.perf_counter() - start)
        taken.append(pair)
    medians = (statistics.median(column) for column in zip(*taken))
    return *medians, statistics.median(ours / whole for ours, whole in taken)


def mebibytes(count: int) -> str:
    return f"{count / 2**20:,.0f}"


def report(rounds: int) -> str:
    """The results file."""
    lines = [
        "# Losses that compare a whole batch",
        "",
        f"Made by `python benchmarks/blocked_losses.py`, jax {jax.__version__}, {os.cpu_count()} CPU cores; D = {WIDTH}.",
        "",
        "Temporary memory of one of eight devices for value and gradient of the global batch, MiB, by the compiler's own figures:",
        "all comparisons in memory, in blocks with the features gathered (the default), and in blocks round a ring.",
        "",
        f"| loss | form | {' | '.join(f'B = {batch:,}' for batch in BATCHES)} |",
        f"|{' --- |' * (2 + len(BATCHES))}",
    ]
    for name, (ours, reference, arrays) in LOSSES.items():
        forms = {"whole": reference, "gather": ours, "ring": functools.partial(ours, exchange="ring")}
        for form, function in forms.items():
            cells = [mebibytes(temporary(function, arrays, batch)) for batch in BATCHES]
            lines.append(f"| `{name}` | {form} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Time of value and gradient on one device, in blocks over whole: the median of {rounds} pairs measured in turn; under 1",
        "is quicker.",
        "",
        f"| loss | {' | '.join(f'B = {batch:,}: blocks, ms | whole, ms | ratio' for batch in TIMED)} |",
        f"|{' --- |' * (1 + 3 * len(TIMED))}",
    ]
    for name in LOSSES:
        cells = []
        for batch in TIMED:
            ours, reference, ratio = times(name, batch, rounds)
            cells += [f"{1e3 * ours:.1f}", f"{1e3 * reference:.1f}", f"{ratio:.2f}"]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "results/blocked_losses.md")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    text = report(args.rounds)
    args.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
