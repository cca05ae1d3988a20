"""Counted model FLOPs against the formulas that people quote."""

import jax
import jax.numpy as jnp
import pytest

from jssl.config import load_config
from jssl.models import resnet
from jssl.plan import compiled, examples, flops


def transformer(tokens: int, width: int, depth: int) -> int:
    """Forward, one example: 12 D^2 weights a block, two operations each for every token, and attention."""
    return depth * (2 * 12 * width**2 * tokens + 4 * tokens**2 * width)


@pytest.mark.slow
def test_mae_by_formula():
    """ViT-B/16 sees 49 patches and the class token; the decoder all 196 and the token."""
    config = load_config("mae:vit_base", ["data.batch_size=2", "method.encoder.remat=full"])
    embed, predict = 2 * 196 * 768 * 768, 2 * 197 * 512 * 768
    forward = embed + transformer(50, 768, 12) + 2 * 50 * 768 * 512 + transformer(197, 512, 8) + predict
    found = compiled.model_flops(config, examples.foresee(config))
    # The backward pass is twice the forward one, but nobody asks for the gradient of the pixels.
    assert found == pytest.approx(2 * (3 * forward - embed), rel=0.002)


def test_resnet50_is_four_billion_multiplications():
    """4.09 GMACs at 224 pixels, the figure of torchvision's documentation."""
    encoder = resnet.make("resnet50")
    image = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    variables = jax.eval_shape(lambda x: encoder.init(jax.random.key(0), x, train=False), image)
    found = flops.count(lambda v, x: encoder.apply(v, x, train=False), variables, image)
    assert found == pytest.approx(2 * 4.09e9, rel=0.005)


def test_a_strided_convolution_and_its_gradients_cost_the_same():
    def convolve(x, w):
        return jax.lax.conv_general_dilated(x, w, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    shapes = (jax.ShapeDtypeStruct((2, 16, 16, 4), jnp.float32), jax.ShapeDtypeStruct((3, 3, 4, 8), jnp.float32))
    forward = flops.count(convolve, *shapes)
    assert forward == 2 * 2 * 8 * 8 * 8 * 9 * 4
    both = flops.count(jax.grad(lambda x, w: convolve(x, w).sum() ** 2, argnums=(0, 1)), *shapes)
    assert both == pytest.approx(3 * forward, rel=0.3)  # the gradients' padding differs by a row
