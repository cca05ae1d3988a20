"""Memory of a ViT-L's training step on eight devices that share one state, parameters gathered at once and by block.

python benchmarks/fsdp_memory.py [--out benchmarks/results/fsdp_memory.md] [--depth 24]

The compiler's own figures for one of eight CPU devices; the step is compiled, not run. One picture per device, so that parameters
and not activations are what is seen.
"""

import argparse
import os
import pathlib
import sys

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

import jax
import jax.numpy as jnp

from jssl import methods, sharding
from jssl.train import optimizers
from jssl.train.state import abstract_state
from jssl.train.step import make_train_step

FSDP = 8
SPEC = {"image": jax.ShapeDtypeStruct((64, 64, 3), "uint8")}
# Compiled without LLVM's optimisation, which takes minutes and changes no buffer.
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}

by_block = sharding.gather


def at_once(tree, specs):
    """Everything whole before anything runs, as before there were blocks."""
    return sharding.unbox(by_block(tree, specs))


def compiled(gather, depth: int, **options):
    """(bytes of all parameters, memory analysis) of the step of MAE with a ViT-L."""
    sharding.gather = gather
    encoder = {"name": "vit_large", "depth": depth, "positions": "sincos", **options}
    decoder = {"width": 64, "depth": 1, "heads": 2}
    method = methods.build("mae", spec=SPEC, image={"size": 64}, encoder=encoder, decoder=decoder, dtype=jnp.bfloat16)
    mesh, tx = sharding.make_mesh(fsdp=FSDP), optimizers.build("adamw", learning_rate=1e-3, weight_decay=0.05)
    state = abstract_state(method, tx, jax.random.key(0), SPEC, mesh)
    specs = jax.tree.map(lambda leaf: leaf.sharding.spec, state)
    batch = {"image": ((FSDP, 64, 64, 3), jnp.uint8), "index": ((FSDP,), jnp.int32)}
    place = sharding.batch_sharding(mesh)
    batch = {name: jax.ShapeDtypeStruct(*field, sharding=place) for name, field in batch.items()}
    step = make_train_step(method, tx, mesh, specs)
    program = step.lower(state, batch).compile(compiler_options=QUICK)
    return sum(4 * leaf.size for leaf in jax.tree.leaves(state.params)), program.memory_analysis()


def report(depth: int) -> str:
    """The results file."""
    lines = []
    for options in ({"scan": True}, {"scan": True, "remat": "full"}, {"scan": False}, {"scan": False, "remat": "full"}):
        cells = []
        for gather in (at_once, by_block):
            total, memory = compiled(gather, depth, **options)
            cells.append(memory.temp_size_in_bytes)
            print(options, gather.__name__, memory.temp_size_in_bytes >> 20, file=sys.stderr, flush=True)
        form = "one scan" if options["scan"] else "unrolled"
        row = [form, options.get("remat", "none"), memory.argument_size_in_bytes, *cells]
        lines.append(f"| {' | '.join(x if isinstance(x, str) else f'{x / 2**20:,.0f}' for x in row)} |")
    return "\n".join(
        [
            "# Parameters gathered by block",
            "",
            f"Made by `python benchmarks/fsdp_memory.py`, jax {jax.__version__}. The training step of MAE with a ViT-L of {depth}",
            f"blocks ({total / 2**20:,.0f} MiB of float32 parameters) and AdamW, on {FSDP} CPU devices that share one copy of",
            "the state, one picture of 64 x 64 on each, in bfloat16. MiB of one device, by the compiler's own figures. State: what",
            "lies in storage slices between steps. Temporary: what the step needs beside it, with all parameters gathered at once,",
            "and with those of a block when it runs. The latter is no more than the new state, which stands beside the old one.",
            "",
            "| blocks | `remat` | state | temporary, at once | temporary, by block |",
            "| --- | --- | --- | --- | --- |",
            *lines,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "results/fsdp_memory.md")
    parser.add_argument("--depth", type=int, default=24)
    args = parser.parse_args()
    text = report(args.depth)
    args.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
