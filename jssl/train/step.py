"""The step: one for every method. It reads like the papers: views, loss, gradient, update, teacher."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.sharding import PartitionSpec as P

from jssl import collectives, sharding
from jssl.methods import Aux
from jssl.train import spikes
from jssl.train.state import TrainState, make_views


def make_train_step(
    method, tx, mesh, specs, *, momentum: Callable | None = None, accumulate: int = 1, skip_spikes: bool = False
):
    """Builds ``step(state, batch) -> (state, metrics)``, jitted, with the state donated.

    Args:
      method: the method record (``jssl.methods``).
      tx: optax gradient transformation; it sees global arrays, so norms (clip, LARS, Muon) are global.
      mesh: from ``sharding.make_mesh``; batches come sharded over ``sharding.AXES``.
      specs: TrainState of PartitionSpecs, from ``init_state``.
      momentum: step -> EMA momentum of the teacher; needed when the method has a teacher.
      accumulate: micro-batches per update. Exact for losses that are means over examples; refused for the others.
      skip_spikes: an update whose loss and gradient norm stand far above the latest ones is not taken (``spikes``).

    Raises:
      ValueError: the method couples the examples of a batch and ``accumulate`` > 1, or a teacher has no momentum.
    """
    coupled = method.coupled or ("batch norm runs over the whole batch" if specs.extra.get("batch_stats") else "")
    if accumulate > 1 and coupled:
        raise ValueError(f"accumulate={accumulate} would change {method.name}: {coupled}; use a larger fsdp mesh")
    if method.teacher and momentum is None:
        raise ValueError(f"{method.name} has a teacher: give its EMA momentum")

    def gradients(params, teacher, extra, batch, key, step):
        """On one device: the loss of its share of the batch, and the global gradient as storage shards."""

        def loss_fn(params, micro_batch):
            views, keys = make_views(method, key, step, micro_batch)
            whole_teacher = sharding.gather(teacher, specs.teacher)
            returned = method.loss(
                sharding.gather(params, specs.params),
                whole_teacher,
                extra,
                views,
                keys,
                step=step,
                axis_name=sharding.AXES,
            )
            if not (isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], Aux)):
                raise ValueError(
                    f"{method.name}: its loss must return (loss, jssl.methods.Aux(updates, metrics, embedding)), "
                    f"not a {type(returned).__name__} without Aux"
                )
            return returned

        def micro_step(total, micro_batch):
            (loss, aux), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, micro_batch)
            return jax.tree.map(jnp.add, total, grads), (loss, aux)

        micro_batches = jax.tree.map(lambda x: x.reshape(accumulate, -1, *x.shape[1:]), batch)
        zeros = jax.tree.map(jnp.zeros_like, params)
        if accumulate == 1:  # no loop: XLA's CPU backend runs convolutions inside one without their fast kernel
            grads, outputs = micro_step(zeros, jax.tree.map(lambda x: x[0], micro_batches))
            losses, aux = jax.tree.map(lambda x: x[None], outputs)
        else:
            grads, (losses, aux) = jax.lax.scan(micro_step, zeros, micro_batches)
            grads = jax.tree.map(lambda g: g / accumulate, grads)
        metrics = jax.tree.map(lambda m: collectives.mean(m.mean(0), sharding.AXES), aux.metrics)
        return losses.mean(), metrics, aux.updates, aux.embedding.reshape(-1, aux.embedding.shape[-1]), grads

    whole = P()
    slices, teacher_slices = sharding.by_hand((specs.params, specs.teacher))
    sharded_gradients = jax.shard_map(
        gradients,
        mesh=mesh,
        axis_names=set(sharding.AXES),
        in_specs=(slices, teacher_slices, whole, P(sharding.AXES), whole, whole),
        out_specs=(whole, whole, whole, P(sharding.AXES), slices),
    )

    def step(state, batch):
        loss, metrics, extra_updates, embedding, grads = sharded_gradients(
            state.params, state.teacher, state.extra, batch, state.key, state.step
        )
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        teacher = state.teacher
        if method.teacher:
            teacher = optax.incremental_update(method.teacher(params), teacher, 1.0 - momentum(state.step))
        extra = method.update_extra(state.extra, extra_updates)

        # A bad batch must not reach the weights, the teacher, the queue or the centre: the update is dropped whole.
        grad_norm = optax.tree.norm(grads)
        spike = spikes.is_spike(state.recent, loss, grad_norm)
        taken = jnp.isfinite(loss) & jnp.isfinite(grad_norm)
        if skip_spikes:
            taken &= ~spike | (state.recent.repeats >= spikes.REPEATS)
        new, old = (params, teacher, opt_state, extra), (state.params, state.teacher, state.opt_state, state.extra)
        params, teacher, opt_state, extra = jax.tree.map(lambda n, o: jnp.where(taken, n, o), new, old)
        recent = spikes.note(state.recent, loss, grad_norm, taken=taken, spike=spike)
        state = TrainState(state.step + 1, params, teacher, opt_state, extra, recent, state.key)
        told = {"loss": loss, "grad_norm": grad_norm, "skipped": jnp.where(taken, 0.0, 1.0)}
        return state, {**told, **norms(grads), "embedding_std": spread(embedding), **metrics}

    return jax.jit(step, donate_argnums=0, out_shardings=(sharding.named(specs, mesh), None))


def norms(grads) -> dict[str, jax.Array]:
    """``grad_norm/<network>`` of each network's gradient. The sums of squares are those of the norm of all, so XLA takes them
    once.

    >>> {name: float(norm) for name, norm in norms({"encoder": {"w": jnp.array([3.0, 4.0])}, "predictor": {}}).items()}
    {'grad_norm/encoder': 5.0}
    """
    return {f"grad_norm/{name}": optax.tree.norm(part) for name, part in grads.items() if jax.tree.leaves(part)}


def spread(embedding: jax.Array) -> jax.Array:
    """sqrt(D) times the mean per-dimension deviation of normalised (B, D) rows: near 1 spread out, 0 collapsed."""
    rows = embedding.astype(jnp.float32)
    rows = rows * jax.lax.rsqrt(jnp.maximum(jnp.sum(rows**2, -1, keepdims=True), 1e-12))
    return jnp.std(rows, 0).mean() * jnp.sqrt(jnp.float32(rows.shape[-1]))
