"""What the losses that compare a whole batch hold, on eight devices, by the compiler's own figures."""

import functools

import jax
import numpy as np
import on_devices
import pytest

from jssl import objectives

DEVICES, WIDTH, SMALL, LARGE = 8, 128, 4096, 65536

LOSSES = {
    "nt_xent": (functools.partial(objectives.nt_xent, temperature=0.1), 2),
    "info_nce": (functools.partial(objectives.info_nce, temperature=0.1), 2),
    "moco_v3_loss": (functools.partial(objectives.moco_v3_loss, temperature=0.1), 4),
    "sup_con_loss": (lambda a, b, **options: objectives.sup_con_loss(a, b, labels(a), temperature=0.1, **options), 2),
    "clip_loss": (functools.partial(objectives.clip_loss, logit_scale=10.0), 2),
    "siglip_loss": (functools.partial(objectives.siglip_loss, logit_scale=10.0, logit_bias=-10.0), 2),
}


def labels(features):
    """Some ten examples of each."""
    return (10.0 * features[:, 0]).astype(np.int32)


def compiled(loss, batch, exchange):
    """Value and gradient of all arrays, for a batch over all devices."""
    function, arrays = LOSSES[loss]

    def local(*arrays, axis_name):
        total = functools.partial(function, exchange=exchange, axis_name=axis_name)
        return jax.value_and_grad(total, range(len(arrays)))(*arrays)

    mapped = on_devices.mapped(local, DEVICES, (0,) * arrays, (None, (0,) * arrays))
    return mapped.lower(*[jax.ShapeDtypeStruct((batch, WIDTH), np.float32)] * arrays).compile()


@pytest.mark.parametrize("exchange", ["gather", "ring"])
@pytest.mark.parametrize(
    "loss", [pytest.param(name, marks=[] if name == "nt_xent" else pytest.mark.slow) for name in LOSSES]
)
def test_memory_is_linear_in_the_batch(loss, exchange):
    small, large = (compiled(loss, batch, exchange) for batch in (SMALL, LARGE))
    bytes_of = [program.memory_analysis().temp_size_in_bytes for program in (small, large)]
    comparisons = 4 * (LARGE // DEVICES) * LARGE  # bytes of one device's rows of them
    assert bytes_of[1] < comparisons / 4
    assert bytes_of[1] < 1.25 * (LARGE / SMALL) * bytes_of[0]
    if exchange == "ring":  # no device holds the features of all
        assert "all-gather" not in large.as_text()
        assert "collective-permute" in large.as_text()
