"""The encoder over tubelets and the predictor of V-JEPA: against the authors' code, rotary, inflated, at full length."""

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import spread
import torch_layout

from jssl.models import IJEPAPredictor, Transformer, ViT, VJEPA21Predictor, positions, vit
from jssl.objectives import patchify, vjepa_loss

CLIPS = np.random.default_rng(0).normal(size=(2, 4, 8, 8, 3)).astype(np.float32)
TINY = {"patch_size": 4, "tubelet": 2, "frames": 4, "image_size": 8, "width": 12, "depth": 1, "heads": 2}
MEAN = {"class_token": False, "pool": "mean"}


@pytest.mark.golden
@pytest.mark.parametrize("name", [name for name in golden.cases("vjepa") if name.startswith("p")])
def test_positions_match_vjepa(name):
    case = golden.load("vjepa", name)
    hyper = case.hyper
    grid = (hyper["depth"], hyper["grid"], hyper["grid"])
    table = positions.sincos_3d(hyper["embed_dim"], grid, uniform=hyper["uniform_power"])
    np.testing.assert_allclose(table, case.out["pos_embed"].reshape(table.shape), atol=case.tolerance["abs"])


@pytest.mark.golden
@pytest.mark.slow
def test_encoder_and_predictor_match_vjepa():
    case = golden.load("vjepa", "c01")  # the case whose positions are those of the published runs
    hyper = case.hyper
    encoder = ViT(
        patch_size=4,
        tubelet=2,
        frames=4,
        image_size=8,
        width=hyper["embed_dim"],
        depth=hyper["depth"],
        heads=hyper["num_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        positions="sincos",
        **MEAN,
    )
    predictor = IJEPAPredictor(
        width=hyper["predictor_embed_dim"],
        depth=hyper["predictor_depth"],
        heads=hyper["predictor_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        grid=(2, 2, 2),
        out_dim=hyper["embed_dim"],
        mask_tokens=2,
    )

    def convert(arrays):
        return {
            "encoder": torch_layout.vit(torch_layout.under(arrays, "enc/"), hyper["depth"]),
            "predictor": torch_layout.vjepa_predictor(torch_layout.under(arrays, "pred/"), hyper["predictor_depth"]),
        }

    teacher = torch_layout.vit(torch_layout.under(case.inputs, "tgt/"), hyper["depth"])
    clips = np.moveaxis(case.inputs["clip"], 1, -1)
    pairs = [(case.inputs[f"mask_enc_{i}"], case.inputs[f"mask_pred_{i}"]) for i in range(2)]

    def loss_of(params):
        whole = encoder.apply({"params": teacher}, clips).tokens
        whole = (whole - whole.mean(-1, keepdims=True)) * jax.lax.rsqrt(whole.var(-1, keepdims=True) + 1e-5)
        predictions, targets = [], []
        for kind, (context, target) in enumerate(pairs):
            tokens = encoder.apply({"params": params["encoder"]}, clips, indices=context).tokens
            inputs = tokens, context, None, target[:, None], None
            predictions.append(predictor.apply({"params": params["predictor"]}, *inputs, kind=kind)[:, 0])
            targets.append(positions.take_tokens(whole, target))
        loss = vjepa_loss(predictions, targets, exponent=hyper["loss_exp"], variance_weight=hyper["reg_coeff"])
        return loss, (predictions, targets)

    (loss, found), grad = jax.jit(jax.value_and_grad(loss_of, has_aux=True))(convert(case.inputs))
    for ours, name in zip(found, "zh"):
        for pair in range(2):
            golden.assert_loss(ours[pair], case.out[f"{name}_{pair}"], case.tolerance)
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    jax.tree.map(lambda g, e: golden.assert_grad(g, e, case.tolerance), grad, convert(case.grad))


def test_tubelets_are_those_of_patchify():
    model = ViT(**TINY, **MEAN, positions="sincos")
    params = spread.variables(model, CLIPS)["params"]
    assert params["patch_embed"]["kernel"].shape == (2 * 4 * 4 * 3, 12)
    vectors = patchify(CLIPS, patch_size=(2, 4, 4))
    assert vectors.shape == (2, 8, 96)
    np.testing.assert_array_equal(vectors[1, 5].reshape(2, 4, 4, 3), CLIPS[1, 2:, :4, 4:])
    chosen = spread.apply(model, params, CLIPS, indices=np.array([[5, 0], [7, 1]]))
    moved = CLIPS.copy()
    moved[0, 0, 0, 7] = 9.0  # in tubelet 1, which the first example does not keep
    np.testing.assert_array_equal(
        spread.apply(model, params, moved, indices=np.array([[5, 0], [7, 1]])).tokens, chosen.tokens
    )


@pytest.mark.slow
def test_rotary_positions_turn_by_time_row_and_column_alone():
    model = ViT(**TINY | {"heads": 1}, positions="rotary")  # with a class token, which is not turned
    params = spread.variables(model, CLIPS)["params"]
    assert "pos_embed" not in params
    order = np.array([[3, 1, 6, 0, 2, 4, 5, 7]] * 2)
    whole, shuffled = spread.apply(model, params, CLIPS), spread.apply(model, params, CLIPS, indices=order)
    np.testing.assert_allclose(shuffled.pooled, whole.pooled, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(shuffled.tokens, np.asarray(whole.tokens)[:, order[0]], rtol=1e-4, atol=1e-5)
    # What two tokens are to each other hangs on how far apart they are: a shift of all of them changes nothing.
    stack = Transformer(depth=1, heads=1)
    x = np.random.default_rng(1).normal(size=(1, 4, 12)).astype(np.float32)
    places = np.array([[[0, 0, 0], [1, 0, 2], [0, 3, 1], [2, 1, 1]]])
    variables = spread.variables(stack, x, places=places)
    here, there, swapped = (
        stack.apply(variables, x, places=p)[0] for p in (places, places + np.array([5, 2, 7]), places[..., ::-1])
    )
    np.testing.assert_allclose(here, there, rtol=1e-4, atol=1e-5)
    assert np.abs(here - swapped).max() > 1e-3


def test_an_inflated_encoder_sees_a_still_clip_as_its_picture():
    kernel = np.random.default_rng(2).normal(size=(48, 5)).astype(np.float32)
    still = np.repeat(CLIPS[:, :1], 2, axis=1)
    picture = patchify(still[:, 0], patch_size=4) @ kernel
    clip = patchify(still, patch_size=(2, 4, 4)) @ vit.inflate(kernel, 2)
    np.testing.assert_allclose(clip, picture, rtol=1e-4, atol=1e-5)


def test_rotary_predictor_and_its_context():
    grid, width = (2, 2, 2), 12
    model = VJEPA21Predictor(width=width, depth=1, heads=2, grid=grid, out_dim=20, mask_tokens=2, positions="rotary")
    context, target = np.array([[0, 1, 2]]), np.array([[[4, 7]]])
    tokens = np.random.default_rng(3).normal(size=(1, 3, 20)).astype(np.float32)
    params = spread.variables(model, tokens, context, None, target, None)["params"]
    assert params["mask_token"].shape == (2, 1, 1, width)
    y, z = spread.apply(model, params, tokens, context, None, target, None)
    assert y.shape == (1, 1, 2, 20) and z.shape == (1, 1, 3, 20)
    other, _ = spread.apply(model, params, tokens, context, None, target, None, kind=1)
    assert np.abs(np.asarray(y) - np.asarray(other)).max() > 1e-3


def test_sixteen_frames_of_224_pixels_are_1568_tokens_under_remat():
    model = vit.make("base", tubelet=2, frames=16, positions="sincos", remat="full", scan=True, **MEAN)
    clips = jax.ShapeDtypeStruct((1, 16, 224, 224, 3), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), clips)
    grads = jax.eval_shape(jax.grad(lambda v, x: model.apply(v, x).pooled.sum()), variables, clips)
    assert jax.tree.structure(grads) == jax.tree.structure(variables)
    assert jax.eval_shape(model.apply, variables, clips).tokens.shape == (1, 1568, 768)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 8, 8, 3), r"reads \(B, T, H, W, C\), got shape \(1, 8, 8, 3\)"),
        ((1, 3, 8, 8, 3), "patches of 4 pixels and 2 frames do not tile 3x8x8 clips"),
    ],
)
def test_wrong_clips(shape, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(ViT(**TINY, **MEAN).init, jax.random.key(0), jnp.zeros(shape))
