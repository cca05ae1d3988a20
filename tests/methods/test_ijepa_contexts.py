"""Several contexts of a picture: the loss is the mean of what each would have alone."""

import jax
import numpy as np
import pytest
import small
from formulas import CASES

from jssl.train.state import make_views


@pytest.mark.slow
def test_the_loss_is_the_mean_of_those_of_each_context():
    options = CASES["ijepa"].options | {"blocks": {"min_keep": 2, "num_contexts": 2}}
    method = small.build("ijepa", **options)
    batch = {name: x for name, x in small.examples().items() if name in ("image", "index")}
    views, keys = make_views(method, jax.random.key(0), 0, batch)
    params, extra = method.init(jax.random.key(1), views)
    teacher = method.teacher(method.init(jax.random.key(2), views)[0])

    @jax.jit
    def loss(views):
        return method.loss(params, teacher, extra, views, keys, step=0, axis_name=None)[0]

    def of(*contexts):
        taken = {name: views[name][:, list(contexts)] for name in ("context", "context_mask")}
        return loss({**views, **taken})

    first, second = of(0, 0), of(1, 1)
    alone = small.build("ijepa", **CASES["ijepa"].options)
    one = {**views, **{name: views[name][:, :1] for name in ("context", "context_mask")}}
    expected = alone.loss(params, teacher, extra, one, keys, step=0, axis_name=None)[0]
    np.testing.assert_allclose(first, expected, rtol=1e-6)
    assert abs(first - second) > 1e-4
    np.testing.assert_allclose(of(0, 1), (first + second) / 2, rtol=1e-6)
