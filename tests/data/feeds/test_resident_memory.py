"""A data set that does not fit on the devices is refused before it is read."""

import os

import numpy as np
import pytest
from unread import Unread

from jssl.data import ResidentFeed
from jssl.data.feeds import resident


def test_a_set_that_does_not_fit_is_refused_before_it_is_read(mesh, monkeypatch):
    source = Unread(image=((64, 64, 3), np.uint8), pose=((256,), np.float32))  # 13 KiB, 13 GiB in all
    monkeypatch.setattr(resident, "free_memory", lambda mesh: (13 * 2**30 - 1, "gpu:3"))
    told = "the data set takes 13.0 GiB on each device, gpu:3 has 13.0 GiB free; use --config.data.feed=grain"
    with pytest.raises(ValueError, match=told):
        ResidentFeed(source, mesh, seed=0, global_batch=8)
    monkeypatch.setattr(resident, "free_memory", lambda mesh: (13 * 2**30, "gpu:3"))
    with pytest.raises(AssertionError, match="was read"):
        resident._check_memory(source, mesh), source[0]
    monkeypatch.undo()
    endless = Unread(image=((1 << 12, 1 << 12, 3), np.uint8))  # 48 TiB: more than any machine that runs this
    with pytest.raises(ValueError, match="takes 49152.0 GiB on each device, the host has .* free"):
        ResidentFeed(endless, mesh, seed=0, global_batch=8)


class Card:
    """A device that says how much memory it has."""

    def __init__(self, name, stats):
        self.name, self.stats = name, stats

    def memory_stats(self):
        return self.stats

    def __str__(self):
        return self.name


def test_free_memory():
    class Cards:
        local_devices = [
            Card("gpu:0", {"bytes_limit": 100, "bytes_in_use": 20}),
            Card("gpu:1", {"bytes_limit": 100, "bytes_in_use": 70}),
        ]

    assert resident.free_memory(Cards) == (30, "gpu:1")
    Cards.local_devices = [Card("cpu:0", None), Card("cpu:1", None)]
    free, where = resident.free_memory(Cards)
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert where == "the host" and total // 200 < free <= total // 2  # both devices hold a copy in the same memory
