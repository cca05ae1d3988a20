import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import spread
import torch_layout

from jssl.models import MAEDecoder, ViT
from jssl.objectives import mae_loss, patchify

CASES = [name for name in golden.cases("mae") if name.startswith("c")]


@pytest.mark.golden
@pytest.mark.parametrize("name", [CASES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in CASES[1:])])
def test_encoder_and_decoder_match_mae(name):
    case = golden.load("mae", name)
    hyper, weights = case.hyper, torch_layout.under(case.inputs, "param/")
    encoder = ViT(
        patch_size=hyper["patch_size"],
        width=hyper["embed_dim"],
        depth=hyper["depth"],
        heads=hyper["num_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        image_size=hyper["img_size"],
        positions="sincos",
    )
    decoder = MAEDecoder(
        width=hyper["decoder_embed_dim"],
        depth=hyper["decoder_depth"],
        heads=hyper["decoder_num_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        patch_size=hyper["patch_size"],
        grid=hyper["img_size"] // hyper["patch_size"],
    )

    def convert(weights):
        return {
            "encoder": torch_layout.vit(weights, hyper["depth"]),
            "decoder": torch_layout.mae_decoder(weights, hyper["decoder_depth"]),
        }

    images = case.inputs["imgs"].transpose(0, 2, 3, 1)
    order = np.argsort(case.inputs["noise"], 1)
    keep = int(order.shape[1] * (1 - hyper["mask_ratio"]))
    visible, restore = order[:, :keep], np.argsort(order, 1)
    np.testing.assert_array_equal(restore, case.out["ids_restore"])

    def loss_of(params, images):
        pooled, tokens, *_ = encoder.apply({"params": params["encoder"]}, images, indices=visible)
        prediction = decoder.apply({"params": params["decoder"]}, tokens, restore, class_token=pooled)
        loss = mae_loss(
            prediction,
            patchify(images, patch_size=hyper["patch_size"]),
            case.out["mask"].astype(np.float32),
            normalize_targets=hyper["norm_pix_loss"],
        )
        return loss, (jnp.concatenate([pooled[:, None], tokens], 1), prediction)

    (loss, (latent, prediction)), (grad, grad_images) = jax.jit(jax.value_and_grad(loss_of, (0, 1), has_aux=True))(
        convert(weights), images
    )
    golden.assert_loss(latent, case.out["latent"], case.tolerance)
    golden.assert_loss(prediction, case.out["pred"], case.tolerance)
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grad_images, case.grad["imgs"].transpose(0, 2, 3, 1), case.tolerance)
    expected = convert(torch_layout.under(case.grad, "param/"))
    jax.tree.map(lambda g, e: golden.assert_grad(g, e, case.tolerance), grad, expected)


TINY = MAEDecoder(width=8, depth=1, heads=2, patch_size=2, grid=2)
TOKENS, RESTORE = np.random.default_rng(0).normal(size=(1, 2, 6)).astype(np.float32), np.array([[2, 0, 1, 3]])


def _decode(class_token, model=TINY):
    variables = spread.variables(TINY, TOKENS, RESTORE, class_token=None)
    return spread.apply(model, variables["params"], TOKENS, RESTORE, class_token=class_token)


def test_class_token_takes_part_and_leaves():
    y, other, without = (_decode(token) for token in (np.ones((1, 6), np.float32), -np.ones((1, 6), np.float32), None))
    assert y.shape == without.shape == (1, 4, 12)
    assert np.abs(y - other).max() > 1e-3
    assert np.abs(y - without).max() > 1e-3


def test_bfloat16():
    token = np.ones((1, 6), np.float32)
    y = _decode(token, TINY.clone(dtype=jnp.bfloat16))
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(y.astype(jnp.float32), _decode(token), atol=0.1)


@pytest.mark.parametrize(("tokens", "places"), [(2, 9), (5, 4)])
def test_shapes_must_fit_the_grid(tokens, places):
    with pytest.raises(ValueError, match="do not fit a grid of 2x2"):
        TINY.init(jax.random.key(0), jnp.ones((1, tokens, 6)), jnp.zeros((1, places), jnp.int32), class_token=None)
