"""What the list of methods says of each is what its build makes and asks for."""

import inspect

import jax
import pytest
from harness import BATCH_SHAPE, SIZE
from rows import RESNET, ROWS

from jssl import methods
from jssl.train.state import make_views


def takes_any_encoder(name):
    try:
        methods.build(name, image_size=SIZE, **ROWS[name] | {"encoder": RESNET})
    except ValueError as error:
        if "needs patches" not in str(error):
            raise
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(methods.REGISTRY))
def test_needs_are_what_the_method_has(name):
    method = methods.build(name, image_size=SIZE, **ROWS[name])
    params, extra = jax.eval_shape(
        lambda key, batch: method.init(key, make_views(method, key, 0, batch)[0]), jax.random.key(0), BATCH_SHAPE
    )
    options = inspect.signature(methods.REGISTRY[name].build).parameters
    has = {
        "teacher": bool(method.teacher),
        "predictor": "predictor" in params,
        "prototypes": "prototypes" in options,
        "queue": "queue" in extra,
        "centre": "center" in extra,
        "colour prior": "prior" in extra,
        "multi-crop": "num_local" in options,
        "ViT": not takes_any_encoder(name),
    }
    # Every batch has labels and joint embeddings hand them on; only the value of the loss shows whether they count.
    needs = set(methods.REGISTRY[name].needs) - {"labels"}
    assert needs == {need for need, there in has.items() if there}
