"""The hardware that recipes name, and plans for it: TPU slices where libtpu is installed, as many CPU devices elsewhere."""

import functools
import importlib.util
import math

import jax
import pytest

from jssl import config_file
from jssl.config import load_config
from jssl.plan import find, foresee, plan
from jssl.plan.chips import CHIPS

SLICE = "v5e:2x2" if importlib.util.find_spec("libtpu") else "cpu:4"
VARIANTS = [
    f"{name}:{','.join(words)}"
    for name, file in config_file.recipes().items()
    for words in getattr(config_file.load(file), "variants", [])
]


@functools.cache
def load(variant):
    return load_config(variant, [])


def test_every_recipe_names_hardware_that_there_is():
    for variant in VARIANTS:
        chip, _, shape = load(variant).run.hardware.partition(":")
        assert (chip == "cpu" or chip in CHIPS) and shape, variant
        assert (chip == "cpu") == (variant == "quickstart:" or ":small," in variant), (
            variant
        )  # papers' are for accelerators


def test_every_recipe_s_batch_is_shared_out_by_the_hardware_that_it_names():
    for variant in VARIANTS:
        config = load(variant)
        chip, _, shape = config.run.hardware.partition(":")
        devices = math.prod(int(n) for n in shape.split("x")) * (1 if chip == "cpu" else CHIPS[chip].devices)
        assert devices % (config.fsdp * config.tensor) == 0, variant
        shares = devices // config.tensor * config.accumulate
        assert config.data.batch_size % shares == 0, f"{variant}: {config.data.batch_size} on {config.run.hardware}"


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["dinov2:small,synthetic", "simclr:small,synthetic"])
def test_a_sharded_step_gathers_parameters_and_scatters_gradients(recipe):
    options = ["data.source=synthetic:num_examples=200", "data.batch_size=32", "fsdp=2", "optimizer.name=adamw"]
    options += ["method.encoder.depth=1"] if "dino" in recipe else []
    config = load_config(recipe, options)
    found = plan(config, foresee(config), find(SLICE))
    assert found.fits
    largest = found.parts["parameters"]  # of which a device holds about half
    sums, gathers, scatters = (found.traffic[kind] for kind in ("all-reduce", "all-gather", "reduce-scatter"))
    assert 0 < gathers.largest <= largest  # of parameters and of rows to compare, never of activations
    assert scatters.wire > largest / 8
    assert sums.largest < 2 * largest  # shards, and what is too small to be sharded
    if found.roofline:
        assert found.roofline.step > 0 and 0 < found.cost.mfu <= found.roofline.mfu


# A compiler for TPUs says what fits; it is large, and takes a minute or two for each recipe.
@pytest.mark.slow
@pytest.mark.skipif(SLICE.startswith("cpu"), reason="plans for TPU slices need libtpu: pip install 'jssl[tpu]'")
@pytest.mark.parametrize(
    "recipe", [variant for variant in VARIANTS if not load(variant).run.hardware.startswith("cpu")]
)
def test_a_recipe_fits_the_hardware_that_it_names(recipe):
    config = load(recipe)
    with jax.numpy_dtype_promotion("standard"):  # the gradient of jax.nn.dot_product_attention needs it
        found = plan(config, foresee(config, 1_000_000), find(config.run.hardware))
    assert found.fits
    gathers, scatters = (found.traffic.get(kind) for kind in ("all-gather", "reduce-scatter"))
    assert gathers is None or gathers.largest <= config.fsdp * found.parts["parameters"]  # never activations
    assert scatters if config.fsdp > 1 else scatters is None or scatters.largest < found.parts["parameters"]
    assert found.roofline.step > 0 and 0 < found.cost.mfu <= found.roofline.mfu
