"""The golden files' PyTorch weights as parameters of our modules, and gradients the other way round."""

import numpy as np


def linear(weights, name):
    """(out, in) -> kernel (in, out)."""
    return {"kernel": weights[f"{name}.weight"].T, "bias": weights[f"{name}.bias"]}


def patch_embed(weights):
    """Convolution (out, channel, [frame,] row, column) -> Dense over ([frame,] row, column, channel) values."""
    kernel = np.moveaxis(weights["patch_embed.proj.weight"], (0, 1), (-1, -2))
    return {"kernel": kernel.reshape(-1, kernel.shape[-1]), "bias": weights["patch_embed.proj.bias"]}


def norm(weights, name):
    """Layer or batch norm."""
    return {"scale": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]}


def blocks(weights, prefix, depth):
    """A stack of timm blocks."""

    def block(name):
        return {
            "norm1": norm(weights, f"{name}.norm1"),
            "qkv": linear(weights, f"{name}.attn.qkv"),
            "proj": linear(weights, f"{name}.attn.proj"),
            "norm2": norm(weights, f"{name}.norm2"),
            "fc1": linear(weights, f"{name}.mlp.fc1"),
            "fc2": linear(weights, f"{name}.mlp.fc2"),
        }

    return {f"block_{i}": block(f"{prefix}.{i}") for i in range(depth)}


def vit(weights, depth):
    """An encoder with fixed positions."""
    params = {
        "patch_embed": patch_embed(weights),
        "encoder": blocks(weights, "blocks", depth),
        "norm": norm(weights, "norm"),
    }
    return params | ({"class_token": weights["cls_token"]} if "cls_token" in weights else {})


def mae_decoder(weights, depth):
    """The decoder of MAE."""
    return {
        "embed": linear(weights, "decoder_embed"),
        "mask_token": weights["mask_token"],
        "decoder": blocks(weights, "decoder_blocks", depth),
        "norm": norm(weights, "decoder_norm"),
        "predict": linear(weights, "decoder_pred"),
    }


def ijepa_predictor(weights, depth):
    """The predictor of I-JEPA."""
    return {
        "embed": linear(weights, "predictor_embed"),
        "mask_token": weights["mask_token"][None],
        "predictor": blocks(weights, "predictor_blocks", depth),
        "norm": norm(weights, "predictor_norm"),
        "predict": linear(weights, "predictor_proj"),
    }


def vjepa_predictor(weights, depth):
    """The predictor of V-JEPA, with two mask tokens."""
    tokens = np.stack([weights[f"mask_tokens.{kind}"] for kind in range(2)])
    return ijepa_predictor({**weights, "mask_token": tokens[:0]}, depth) | {"mask_token": tokens}


def dino_head(weights, layers, batch_norm, gain):
    """DINO's head: linears at 0, 2, 4 of a Sequential, or 0, 3, 6 with batch norms at 1, 4."""
    stride = 3 if batch_norm else 2
    mlp = {f"dense{i + 1}": linear(weights, f"mlp.{stride * i}") for i in range(layers)}
    if batch_norm:
        for i in range(layers - 1):  # a bias before a batch norm does nothing; ours has none
            del mlp[f"dense{i + 1}"]["bias"]
            mlp[f"norm{i + 1}"] = norm(weights, f"mlp.{stride * i + 1}")
    last = {"kernel": weights["last_layer.weight_v"].T}
    if gain:
        last["gain"] = weights["last_layer.weight_g"][:, 0]
    return {"mlp": mlp, "last_layer": last}


def under(arrays, prefix):
    """The arrays below a prefix, without it."""
    return {name.removeprefix(prefix): np.asarray(x) for name, x in arrays.items() if name.startswith(prefix)}
