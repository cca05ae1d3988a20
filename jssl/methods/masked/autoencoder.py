"""What masked autoencoders share: an encoder of the visible patches, a decoder of all places, and the loss of the hidden."""

from collections.abc import Callable

import jax.numpy as jnp

from jssl import objectives
from jssl.methods import networks
from jssl.methods.encoders import PatchEncoder
from jssl.methods.method import Aux, Method, Show
from jssl.methods.networks import Networks


def masked_autoencoder(
    name: str,
    *,
    fields: frozenset[str],
    field: str,
    views: Callable,
    encoder: PatchEncoder,
    decoder,
    patchify: Callable,
    picture: Callable,
    normalize_targets: bool,
    readouts: Callable,
    caption: str,
    channels: int = 1,
) -> Method:
    """The record of a masked autoencoder.

    Args:
      name: of the method.
      fields: what an example must hold.
      field: name of the view that is reconstructed.
      views: (key, example) -> that view, and ``visible``, ``restore`` and ``mask``, see ``views.random_mask``.
      encoder: reads the patches that ``indices`` names.
      decoder: (tokens, restore, class_token=) -> (B, N, P), as ``models.MAEDecoder``.
      patchify: the view -> (B, N, P).
      picture: (B, N, P) -> what people look at, see ``Show``.
      normalize_targets: normalise each target patch by its own mean and deviation.
      readouts: networks -> name -> Readout.
      channels: values that alternate in a patch, such as colours; each is normalised by itself (VideoMAE).
      caption: of the pictures: the whole, what is seen of it, and the reconstruction.
    """
    nets = Networks(encoder=encoder, decoder=decoder)

    def forward(net, batch):
        """(prediction of every patch, pooled features of the visible ones)."""
        features = net("encoder", batch[field], indices=batch["visible"])
        # The class token takes part in the decoder, or it would never be trained.
        token = features.pooled if encoder.pools_token else None
        return net("decoder", features.tokens, batch["restore"], class_token=token), features.pooled

    def apart(patches):
        """(B, N, P) -> (B, N * channels, P / channels): every channel of a patch as a patch of its own."""
        batch, number, _ = patches.shape
        return jnp.swapaxes(patches.reshape(batch, number, -1, channels), 2, 3).reshape(batch, number * channels, -1)

    def together(patches):
        """The inverse."""
        batch, number, size = patches.shape
        return jnp.swapaxes(patches.reshape(batch, -1, channels, size), 2, 3).reshape(batch, number // channels, -1)

    def init(key, batch):
        return nets.init(key, lambda net: forward(net, batch))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        prediction, pooled = forward(net, batch)
        value = objectives.mae_loss(
            apart(prediction),
            apart(patchify(batch[field])),
            jnp.repeat(batch["mask"], channels, axis=1),
            normalize_targets=normalize_targets,
            axis_name=axis_name,
        )
        return value, Aux(networks.updates(net), {}, pooled)

    def show(params, teacher, extra, batch):
        del teacher
        whole, hidden = patchify(batch[field]), batch["mask"][..., None]
        prediction = forward(nets.frozen(params, extra), batch)[0]
        if normalize_targets:  # what was predicted is relative to each patch's mean and deviation
            true = apart(whole)
            deviation = jnp.sqrt(true.var(-1, keepdims=True) + 1e-6)
            prediction = together(apart(prediction) * deviation + true.mean(-1, keepdims=True))
        parts = whole, jnp.where(hidden > 0, 0.0, whole), jnp.where(hidden > 0, prediction, whole)
        return tuple(picture(patches) for patches in parts)

    shows = {"Reconstruction": Show(caption, show)}
    return Method(name, fields, views, init, loss, readouts(nets), shows=shows)
