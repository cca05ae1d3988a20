import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import spread
import torch_layout

from jssl.models import IJEPAPredictor, ViT
from jssl.objectives import jepa_loss

CASES = [name for name in golden.cases("ijepa") if name.startswith("c")]
TINY = IJEPAPredictor(width=8, depth=2, heads=2, grid=4, out_dim=6)


@pytest.mark.golden
@pytest.mark.parametrize("name", [CASES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in CASES[1:])])
def test_encoder_and_predictor_match_ijepa(name):
    case = golden.load("ijepa", name)
    hyper = case.hyper
    grid = hyper["img_size"] // 4
    encoder = ViT(
        patch_size=4,
        width=hyper["embed_dim"],
        depth=hyper["depth"],
        heads=hyper["num_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        image_size=hyper["img_size"],
        positions="sincos",
        class_token=False,
        pool="mean",
    )
    predictor = IJEPAPredictor(
        width=hyper["predictor_embed_dim"],
        depth=hyper["predictor_depth"],
        heads=hyper["predictor_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        grid=grid,
        out_dim=hyper["embed_dim"],
    )

    def convert(arrays):
        return {
            "encoder": torch_layout.vit(torch_layout.under(arrays, "enc/"), hyper["depth"]),
            "predictor": torch_layout.ijepa_predictor(torch_layout.under(arrays, "pred/"), hyper["predictor_depth"]),
        }

    teacher = torch_layout.vit(torch_layout.under(case.inputs, "tgt/"), hyper["depth"])
    images = case.inputs["imgs"].transpose(0, 2, 3, 1)
    contexts, targets = case.inputs["masks_enc"], case.inputs["masks_pred"].transpose(1, 0, 2)  # (B, M, Kt)

    def loss_of(params):
        whole = encoder.apply({"params": teacher}, images).tokens
        whole = (whole - whole.mean(-1, keepdims=True)) * jax.lax.rsqrt(whole.var(-1, keepdims=True) + 1e-5)
        target = jax.vmap(lambda tokens, indices: tokens[indices])(whole, targets)
        predictions = []
        for context in contexts:
            tokens = encoder.apply({"params": params["encoder"]}, images, indices=context).tokens
            predictions.append(predictor.apply({"params": params["predictor"]}, tokens, context, None, targets, None))
        loss = sum(jepa_loss(prediction, target) for prediction in predictions) / len(predictions)
        return loss, (target, jnp.stack(predictions))

    (loss, (target, prediction)), grad = jax.jit(jax.value_and_grad(loss_of, has_aux=True))(convert(case.inputs))
    # The reference's rows: target block, then context, then image.
    contexts_per_block = np.broadcast_to(target, (len(contexts), *target.shape))
    for ours, reference in ((contexts_per_block, "h"), (prediction, "z")):
        rows = np.asarray(ours).transpose(2, 0, 1, 3, 4).reshape(case.out[reference].shape)
        golden.assert_loss(rows, case.out[reference], case.tolerance)
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    jax.tree.map(lambda g, e: golden.assert_grad(g, e, case.tolerance), grad, convert(case.grad))


def _inputs():
    rng = np.random.default_rng(0)
    places = np.stack([rng.permutation(16) for _ in range(3)])
    context, target = places[:, :6], places[:, 6:12].reshape(3, 2, 3)
    return rng.normal(size=(3, 6, 6)).astype(np.float32), context, target


def _params():
    tokens, context, target = _inputs()
    return spread.variables(TINY, tokens, context, None, target, None)["params"]


def _predict(*args, model=TINY, **kwargs):
    return spread.apply(model, _params(), *args, **kwargs)


@pytest.mark.slow
def test_padding_changes_nothing():
    tokens, context, target = _inputs()
    expected = _predict(tokens, context, None, target, None)
    assert expected.shape == (3, 2, 3, 6)
    for place, junk in ((0, 50.0), (15, -3.0)):
        longer = np.concatenate([tokens, np.full((3, 2, 6), junk, np.float32)], 1)
        longer_context = np.pad(context, ((0, 0), (0, 2)), constant_values=place)
        longer_target = np.pad(target, ((0, 0), (0, 0), (0, 4)), constant_values=place)
        context_mask, target_mask = np.tile(np.arange(8) < 6, (3, 1)), np.tile(np.arange(7) < 3, (3, 2, 1))
        both = _predict(longer, longer_context, context_mask, longer_target, target_mask)
        np.testing.assert_allclose(both[:, :, :3], expected, rtol=1e-4, atol=1e-5)
        one = _predict(longer, longer_context, context_mask, target, None)
        np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-5)
        other = _predict(tokens, context, None, longer_target, target_mask)
        np.testing.assert_allclose(other[:, :, :3], expected, rtol=1e-4, atol=1e-5)


def test_blocks_do_not_see_each_other():
    tokens, context, target = _inputs()
    expected = _predict(tokens, context, None, target, None)
    changed = target.copy()
    changed[:, 1] = target[:, 1, ::-1]
    changed[0, 1, 0] = 15 - changed[0, 1, 0]
    both = _predict(tokens, context, None, changed, None)
    np.testing.assert_allclose(both[:, 0], expected[:, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(both[1:, 1, ::-1], expected[1:, 1], rtol=1e-4, atol=1e-5)  # tokens follow their places
    assert np.abs(both[0, 1] - expected[0, 1, ::-1]).max() > 0.01
    alone = _predict(tokens, context, None, target[:, 1:], None)
    np.testing.assert_allclose(alone[:, 0], expected[:, 1], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_drop_path_is_drawn_per_example_and_block():
    tokens, context, target = _inputs()
    tokens, context = np.tile(tokens[:1], (3, 1, 1)), np.tile(context[:1], (3, 1))
    target = np.broadcast_to(target[:1, :1], (3, 8, 3))  # the same block over and over
    keys = jax.random.split(jax.random.key(0), 3)
    model = TINY.clone(drop_path=0.5)
    y = np.asarray(_predict(tokens, context, None, target, None, model=model, keys=keys))
    assert all(len(np.unique(np.round(row[:, 0, 0], 4))) > 1 for row in y)
    assert not np.allclose(y[0], y[1])
    one = _predict(tokens[1:2], context[1:2], None, target[1:2], None, model=model, keys=keys[1:2])
    np.testing.assert_allclose(one[0], y[1], rtol=1e-4, atol=1e-5)
    still = _predict(tokens, context, None, target, None, model=model)
    np.testing.assert_allclose(still, np.broadcast_to(still[:1, :1], still.shape), rtol=1e-5, atol=1e-5)


def test_bfloat16():
    tokens, context, target = _inputs()
    y = _predict(tokens, context, None, target, None, model=TINY.clone(dtype=jnp.bfloat16))
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(y.astype(jnp.float32), _predict(tokens, context, None, target, None), atol=0.2)
