"""The five workloads of ``compare.py`` through jssl's step; one process times one of them.

python benchmarks/workloads.py simclr [--dtype fp32] [--batch 128] [--steps 3]

Views are made once and are not part of what is timed, as on the other side: the step gets them as its batch. Prints one JSON
line.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from jssl import compilation_cache, methods, sharding
from jssl.train import optimizers
from jssl.train.schedules import constant
from jssl.train.state import init_state, make_views
from jssl.train.step import make_train_step

_RESNET = {"name": "resnet18", "stem": "cifar"}
_VIT_B = {"name": "vit_base", "patch_size": 16, "positions": "sincos"}
_SGD = {"name": "sgd", "learning_rate": 0.06, "weight_decay": 5e-4, "momentum": 0.9}

WORKLOADS = {
    "simclr": (128, 32, {"encoder": _RESNET, "projector": (512, 128)}, _SGD),
    "mocov2": (128, 32, {"encoder": _RESNET, "projector": (512, 128), "temperature": 0.1}, _SGD),
    "dino": (8, 224, {"encoder": {"name": "vit_tiny", "patch_size": 16}}, {"name": "adamw", "learning_rate": 5e-4}),
    "mae": (16, 224, {"encoder": _VIT_B}, {"name": "adamw", "learning_rate": 1.5e-4, "weight_decay": 0.05, "b2": 0.95}),
    "ijepa": (
        8,
        224,
        {
            "encoder": {**_VIT_B, "class_token": False, "pool": "mean"},
            "predictor": {"width": 384, "depth": 6, "heads": 12},
            "blocks": {"context_size": 100, "target_scale": (0.153, 0.153), "target_aspect": (1.2, 1.2)},
        },
        {"name": "adamw", "learning_rate": 1e-3},
    ),
}
"""Name -> batch on two cores, side of the pictures, options of the method, optimiser."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--steps", type=int, default=3)
    args = parser.parse_args()
    compilation_cache.enable()
    step, state, batch = prepare(args.workload, batch=args.batch, dtype=args.dtype)
    seconds = []
    for _ in range(2 + args.steps):
        began = time.perf_counter()
        state, metrics = step(state, batch)
        jax.block_until_ready(metrics)
        seconds.append(time.perf_counter() - began)
    size, median = batch["index"].shape[0], statistics.median(seconds[2:])
    found = {
        "workload": args.workload,
        "impl": "jssl",
        "dtype": args.dtype,
        "batch": size,
        "ms": round(1e3 * median, 1),
    }
    print(json.dumps({**found, "images_per_s": round(size / median, 2), "loss": round(float(metrics["loss"]), 4)}))
    return 0


def prepare(name: str, *, batch: int | None = None, dtype: str = "fp32"):
    """(step, state, batch) of a workload, whose batch holds its views."""
    default, side, options, optimizer = WORKLOADS[name]
    size = batch or default
    spec = {"image": jax.ShapeDtypeStruct((side, side, 3), np.uint8)}
    kind = jnp.bfloat16 if dtype == "bf16" else jnp.float32
    method = methods.build("moco" if name == "mocov2" else name, spec=spec, dtype=kind, image={"size": side}, **options)
    key, mesh = jax.random.key(0), sharding.make_mesh()
    pictures = np.random.default_rng(0).integers(0, 256, (size, side, side, 3), np.uint8)
    raw = {"image": jnp.asarray(pictures), "index": jnp.arange(size, dtype=jnp.int32)}
    views = jax.jit(lambda raw: make_views(method, key, 0, raw)[0])(raw)
    leaves, structure = jax.tree.flatten(views)
    fields = {f"view_{number}": leaf for number, leaf in enumerate(leaves)}

    def ready(key, example):
        return jax.tree.unflatten(structure, [example[name] for name in fields])

    method = dataclasses.replace(method, fields=frozenset(fields), views=ready)
    spec = {name: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for name, leaf in fields.items()}
    rule = dict(optimizer)
    tx = optimizers.build(rule.pop("name"), peak=rule["learning_rate"], **{"weight_decay": 0.01, **rule})
    state, specs = init_state(method, tx, key, spec, mesh)
    step = make_train_step(method, tx, mesh, specs, momentum=constant(0.996))
    placed = sharding.batch_sharding(mesh)
    return step, state, {name: jax.device_put(leaf, placed) for name, leaf in {**fields, "index": raw["index"]}.items()}


if __name__ == "__main__":
    sys.exit(main())
