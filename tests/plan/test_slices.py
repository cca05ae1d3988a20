"""The mesh over several TPU slices, which libtpu describes without having them."""

import pytest
from jax.experimental import topologies

from jssl import sharding
from jssl.plan.topology import find


@pytest.mark.slow
def test_several_slices_are_split_over_data_first():
    pytest.importorskip(
        "libtpu", reason="nothing else describes several slices without having them: pip install 'jssl[tpu]'"
    )
    find("v5e:2x2")  # tells libtpu what it asks for
    devices = topologies.get_topology_desc(platform="tpu", topology_name="v5e:4x4", num_slices=2).devices
    for fsdp, per_row in [(1, 1), (4, 1), (16, 1), (32, 2)]:
        placed = sharding.make_mesh(devices, fsdp=fsdp).devices
        assert placed.shape == (32 // fsdp, fsdp)
        slices = [{device.slice_index for device in row} for row in placed]
        assert {len(row) for row in slices} == {per_row}  # of those that share one copy of the state
        assert slices == sorted(slices, key=min)  # and the rows of one slice stand together
