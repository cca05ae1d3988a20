"""A new run that starts from the weights of another one."""

import logging
import pathlib

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from jssl.config import read_object
from jssl.methods import Method
from jssl.models.vit import inflate
from jssl.train import setup
from jssl.train.checkpoints import Checkpointer
from jssl.train.checkpoints.record import named_leaves, some

__all__ = ["take_weights"]

logger = logging.getLogger(__name__)

STUDENT = ("params/", "extra/batch_stats/")
TEACHER = ("teacher/", "extra/teacher_batch_stats/")
PATCHES = "/patch_embed/kernel"  # of an encoder of pictures, and of one of clips


def take_weights(state, method: Method, other: str | pathlib.Path, *, partial: bool = False):
    """``state`` with parameters and batch statistics of another run, those of its EMA teacher where both have one.

    A teacher that the other run lacks is a copy of the student, as at the start of any run. Optimiser, step, queue and
    centre stay as they are. What was taken is logged in one line.

    Where the other run has learnt from pictures and this one learns from clips, the embedding of patches is taken for every frame
    of a tubelet, see `jssl.models.vit.inflate`. Patches of the same side are taken for granted: the line says how many frames it is
    taken for.

    Args:
      state: the initial state.
      method: of the new run.
      other: workdir of the other run; its newest checkpoint is read.
      partial: take the arrays that fit, and leave the others as they are.

    Raises:
      ValueError: no checkpoint there; arrays that do not fit, unless ``partial``; none that fits.

    Returns:
      (state, a record as JSON of what was taken).
    """
    folder = setup.checkpoint_folder(pathlib.Path(other).expanduser())
    with Checkpointer(folder, every=1) as checkpoints:
        step = checkpoints.latest_step()
        if step is None:
            raise ValueError(f"--init-from {other}: no checkpoint in {folder}; give the workdir of a run")
        held = {
            name: leaf for name, leaf in checkpoints.read_leaves(step).items() if name.startswith(STUDENT + TEACHER)
        }
        own = {name: leaf for name, leaf in named_leaves(state).items() if name.startswith(STUDENT + TEACHER)}
        if not (state.teacher and any(name.startswith(TEACHER) for name in held)):
            held, own = ({n: leaf for n, leaf in leaves.items() if n.startswith(STUDENT)} for leaves in (held, own))
        grows = "video" in method.fields and "video" not in read_object(folder.parent / "data.json")["spec"]
        frames = {name: _frames(name, leaf, held[name], grows) for name, leaf in own.items() if name in held}
        fit = [name for name, count in frames.items() if count]
        told = f"--init-from {other}, step {step}: {len(fit)} of {len(own)} arrays fit"
        told += "".join(f"; {name} for {frames[name]} frames" for name in fit if frames[name] > 1)
        problems = _problems(own, held, fit)
        if problems and not (partial and fit):
            raise ValueError(f"{told}; {'; '.join(problems)}" + ("; --partial takes those that fit" if fit else ""))
        wanted = {name: _there(own[name], held[name], frames[name]) for name in fit}
        taken, _, _ = checkpoints.restore(wanted, step=step, part=True)
    for name in (name for name in fit if frames[name] > 1):
        taken[name] = jax.jit(inflate, static_argnums=1, out_shardings=own[name].sharding)(taken[name], frames[name])
    logger.warning("%s", "; ".join([told, *problems]))
    state = _replace(state, {name: array for name, array in taken.items() if name.startswith(STUDENT)})
    if method.teacher:
        copy = {"teacher": method.teacher(state.params), "extra": dict(state.extra)}
        if "teacher_batch_stats" in state.extra:
            names = state.extra["teacher_batch_stats"]
            copy["extra"]["teacher_batch_stats"] = {name: state.extra["batch_stats"][name] for name in names}
        state = state.replace(**jax.tree.map(jnp.copy, copy))  # buffers of its own, which the step may donate
        state = _replace(state, {name: array for name, array in taken.items() if name.startswith(TEACHER)})
    return state, {"run": str(other), "step": step, "taken": fit, "left": [name for name in own if name not in fit]}


def _same(leaf, described: dict) -> bool:
    return list(leaf.shape) == described["shape"] and str(leaf.dtype) == described["dtype"]


def _frames(name: str, leaf, described: dict, grows: bool) -> int:
    """How many frames an array of the other run is taken for: 1 as it is, 0 where it does not fit."""
    if _same(leaf, described):
        return 1
    inputs, *rest = described["shape"]
    fits = grows and name.endswith(PATCHES) and str(leaf.dtype) == described["dtype"] and list(leaf.shape[1:]) == rest
    return leaf.shape[0] // inputs if fits and leaf.shape[0] % inputs == 0 else 0


def _there(leaf, described: dict, frames: int) -> jax.ShapeDtypeStruct:
    """What is read: the array as the other run has it, on the devices where this one has it."""
    sharding = leaf.sharding
    if frames > 1 and isinstance(sharding, NamedSharding):  # whose rows need not be a multiple of the devices
        sharding = NamedSharding(sharding.mesh, PartitionSpec())
    return jax.ShapeDtypeStruct(tuple(described["shape"]), leaf.dtype, sharding=sharding)


def _problems(own: dict, held: dict, fit: list[str]) -> list[str]:
    other = [name for name in own if name in held and name not in fit]
    groups = {
        "of another shape": [f"{n} {tuple(held[n]['shape'])} there, {own[n].shape} here" for n in other],
        "only here": [name for name in own if name not in held],
        "only there": [name for name in held if name not in own],
    }
    return [f"{what}: {some(names)}" for what, names in groups.items() if names]


def _replace(state, arrays: dict):
    """A state with other arrays in some places."""
    leaves = {**named_leaves(state), **arrays}
    return jax.tree.unflatten(jax.tree.structure(state), leaves.values())
