"""NVIDIA GPUs that are not here: their names, what a compiled program calls of NVIDIA's libraries, and a real plan."""

import pytest

from jssl.cli import main
from jssl.config import load_config
from jssl.plan import find, foresee, gpus, hlo, plan, topology, wire, work
from jssl.plan.chips import CHIPS

# As XLA writes them: a product with its bias, a strided convolution with its two gradients, and collectives that run beside them.
LIBRARIES = """HloModule jit_step, is_scheduled=true

ENTRY %main (x: f32[16,24,24,16], w: f32[32,3,3,16], dy: f32[16,12,12,32], a: f32[4,96,8], b: f32[4,32,8]) -> f32[] {
  %x = f32[16,24,24,16]{3,2,1,0} parameter(0)
  %w = f32[32,3,3,16]{3,2,1,0} parameter(1)
  %dy = f32[16,12,12,32]{3,2,1,0} parameter(2)
  %a = f32[4,96,8]{2,1,0} parameter(3)
  %b = f32[4,32,8]{2,1,0} parameter(4)
  %matmul = (f32[4,96,32]{2,1,0}, s8[4194304]{0}) custom-call(%a, %b), \
custom_call_target="__cublas$lt$matmul", \
backend_config={"gemm_backend_config":{"beta":0,\
"dot_dimension_numbers":{"lhs_contracting_dimensions":["2"],"rhs_contracting_dimensions":["2"],\
"lhs_batch_dimensions":["0"],"rhs_batch_dimensions":["0"]},"epilogue":"DEFAULT"}}
  %forward = (f32[16,12,12,32]{3,2,1,0}, u8[0]{0}) custom-call(%x, %w), \
window={size=3x3 stride=2x2 pad=0_1x0_1}, dim_labels=b01f_o01i->b01f, \
custom_call_target="__cudnn$convForward"
  %backward = (f32[16,24,24,16]{3,2,1,0}, u8[0]{0}) custom-call(%dy, %w), \
window={size=3x3 stride=2x2 pad=0_1x0_1}, dim_labels=b01f_o01i->b01f, \
custom_call_target="__cudnn$convBackwardInput"
  %filter = (f32[32,3,3,16]{3,2,1,0}, u8[0]{0}) custom-call(%x, %dy), \
window={size=3x3 stride=2x2 pad=0_1x0_1}, dim_labels=b01f_o01i->b01f, \
custom_call_target="__cudnn$convBackwardFilter"
}
"""
COLLECTIVES = """HloModule jit_step, is_scheduled=true

ENTRY %main (x: f32[2,16], y: f32[128,64], z: f32[16,64]) -> f32[2,16] {
  %x = f32[2,16]{1,0} parameter(0)
  %y = f32[128,64]{1,0} parameter(1)
  %z = f32[16,64]{1,0} parameter(2)
  %all-reduce-start = ((f32[2,16]{1,0}), f32[2,16]{1,0}) all-reduce-start(%x), \
replica_groups=mesh['data'=8,'fsdp'=1] {'data','fsdp'}, to_apply=%add
  %all-reduce-done = f32[2,16]{1,0} all-reduce-done(%all-reduce-start)
  %reduce-scatter-start = ((f32[128,64]{1,0}), f32[16,64]{1,0}) reduce-scatter-start(%y), \
replica_groups={}, dimensions={0}, to_apply=%add
  %reduce-scatter-done = f32[16,64]{1,0} reduce-scatter-done(%reduce-scatter-start)
  %all-gather-start = ((f32[16,64]{1,0}, f32[2,16]{1,0}), (f32[128,64]{1,0}, f32[16,16]{1,0})) all-gather-start(%z, %x), \
replica_groups={}, dimensions={0}
  %all-gather-done = (f32[128,64]{1,0}, f32[16,16]{1,0}) all-gather-done(%all-gather-start)
}
"""


def test_calls_of_libraries_count_like_what_they_stand_for():
    program = hlo.parse(LIBRARIES)
    matmul = 2 * 4 * 96 * 32 * 8
    taps = 12 * 3 - 1  # along one side: of the last of twelve outputs one tap of three falls on the padding
    convolution = 2 * 16 * taps**2 * 16 * 32
    assert work.product_flops(program) == matmul + 3 * convolution
    x, w, dy = 16 * 24 * 24 * 16, 32 * 9 * 16, 16 * 12 * 12 * 32
    moved = 3 * (x + w + dy) + 4 * 96 * 8 + 4 * 32 * 8 + 4 * 96 * 32
    assert work.memory_bytes(program) == 4 * moved  # and not the room to work in


def test_collectives_that_are_started_count_once():
    program = hlo.parse(COLLECTIVES)
    found = wire.traffic(program, 8)
    assert found["all-reduce"] == wire.Traffic("all-reduce", 1, 2 * 7 * 128 // 8, 128)
    whole = 4 * 128 * 64
    assert found["reduce-scatter"] == wire.Traffic("reduce-scatter", 1, 7 * whole // 8, whole)
    gathered = whole + 4 * 16 * 16
    assert found["all-gather"] == wire.Traffic("all-gather", 1, 7 * gathered // 8, gathered)
    assert work.memory_bytes(program) == 2 * 128 + whole * 9 // 8 + gathered * 9 // 8


def test_names_of_gpus(monkeypatch):
    asked = []
    monkeypatch.setattr(gpus, "devices", lambda *arguments: asked.append(arguments) or [])
    one, four = find("h100:8"), find("h100:4x8")
    assert asked == [("h100:8", 1, 8), ("h100:4x8", 4, 8)]
    assert one.chip == CHIPS["h100"] and (one.chips, four.chips) == (8, 32)
    assert one.options == gpus.OPTIONS
    assert four.chip.links == 8 * 50e9  # eight cards of 400 Gb/s are slower than NVLink
    with pytest.raises(ValueError, match="write h100:8 for eight GPUs"):
        find("h100:2x2x2")
    with pytest.raises(ValueError, match="hosts of rtx4090 is not known"):
        find("rtx4090:2x1")
    with pytest.raises(ValueError, match="did you mean 'h100'"):
        find("h10:8")


def test_every_gpu_is_described_to_the_compiler_and_to_the_roofline():
    for name, gpu in gpus.GPUS.items():
        chip = CHIPS[name]
        assert chip.memory == 0.75 * gpu.memory and chip.bandwidth == pytest.approx(gpu.bandwidth, rel=1e-3)
        # What its float32 lanes can do is a small part of what its tensor cores can.
        assert 2 * gpu.cores * gpu.lanes * gpu.clock * 1e9 < chip.flops


def test_without_the_plugin_the_packages_are_named(capsys, monkeypatch):
    monkeypatch.setattr(gpus, "_installed", lambda: False)
    assert main(["plan", "--config=mae:vit_base", "--topology=h100:8"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "topology h100:8" in line and "pip install --no-deps jax-cuda13-plugin==" in line


@pytest.mark.slow
@pytest.mark.skipif(
    not gpus._installed(), reason="needs JAX's CUDA plugin: pip install --no-deps jax-cuda13-plugin jax-cuda13-pjrt"
)
def test_a_plan_for_gpus_counts_what_one_for_cpus_does():
    options = ["data.source=synthetic:num_examples=200", "data.batch_size=32", "fsdp=2", "method.encoder.depth=1"]
    config = load_config("mae:small,synthetic", [*options, "optimizer.name=adamw"])
    here, there = (plan(config, foresee(config), topology.find(name)) for name in ("cpu:8", "h100:2x4"))
    assert there.fits and there.memory == CHIPS["h100"].memory
    assert there.executed == pytest.approx(here.executed, rel=0.01)
    for kind in ("all-reduce", "reduce-scatter"):
        assert there.traffic[kind].wire == pytest.approx(here.traffic[kind].wire, rel=0.01)
    # What is computed again may be gathered again, or not: that is the compilers' choice.
    assert 0.99 < there.traffic["all-gather"].wire / here.traffic["all-gather"].wire < 2.01
    assert there.parts["parameters"] == here.parts["parameters"] and there.parts["activations"] > 0
    assert there.roofline.step > 0 and 0 < there.cost.mfu <= there.roofline.mfu
