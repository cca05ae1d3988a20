"""Reads one checkpoint and says whether it is whole: its record, its leaves, the fingerprint of each."""

import json
import math

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from jssl import processes
from jssl.differences import config_difference
from jssl.train.checkpoints import record as records
from jssl.train.checkpoints.fingerprint import fingerprints
from jssl.train.checkpoints.leaves import abstract_data, wrap_key_data
from jssl.train.checkpoints.record import one_line, some


def read(folder, step: int, abstract_state, wanted: dict, config: dict | None, context: ocp.Context, part: bool):
    """(state, meta, None) of a whole checkpoint, else (None, None, why it is not), the same on every process."""
    record, reason = None, None
    try:
        record = read_record(folder / str(step))
    except Exception as error:
        reason = f"its record cannot be read: {one_line(error)}"
    if not processes.agree(reason is None):
        return None, None, reason or "another process cannot read its record"
    assert record is not None
    held = record["leaves"]
    if part:
        held = {name: leaf for name, leaf in held.items() if name in wanted}
    if problems := records.mismatch(held, wanted):
        raise _other_model(folder, step, problems, record["meta"], config)
    arrays = {}
    try:
        arrays = _load(folder / str(step), wanted, context)
        marks = fingerprints(arrays)
        if changed := [name for name in wanted if marks[name] != record["leaves"][name]["fingerprint"]]:
            reason = f"{len(changed)} of {len(wanted)} leaves have changed bits: {some(changed)}"
    except Exception as error:
        if _is_out_of_memory(error):
            raise
        reason = f"its arrays cannot be read: {one_line(error)}"
    if not processes.agree(reason is None):
        return None, None, reason or "another process cannot read its arrays"
    leaves = [wrap_key_data(arrays[name], leaf) for name, leaf in wanted.items()]
    return jax.tree.unflatten(jax.tree.structure(abstract_state), leaves), record["meta"], None


def read_record(path) -> dict:
    """The record of the checkpoint in the folder ``path``; any error if it cannot be read or its bits have changed."""
    # Read as a file: ocp.checkpointables_metadata would open every array too, and log what it finds broken.
    return records.check(json.loads((path / "_CHECKPOINT_METADATA").read_text())["custom_metadata"])


def _load(path, wanted: dict, context: ocp.Context) -> dict[str, jax.Array]:
    abstract = {name: abstract_data(leaf) for name, leaf in wanted.items()}
    stored = {name: leaf for name, leaf in abstract.items() if math.prod(leaf.shape)}
    with context:
        arrays = dict(ocp.load_checkpointables(path, {"state": stored})["state"])
    for name in abstract.keys() - stored.keys():
        arrays[name] = jax.device_put(np.zeros(abstract[name].shape, abstract[name].dtype), abstract[name].sharding)
    return arrays


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Memory that runs out says nothing about the file: walking back would restart from ever older steps."""
    while error is not None:
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _other_model(folder, step: int, problems: list[str], meta: dict, config: dict | None) -> ValueError:
    fields = config_difference(meta.get("config", {}), config) if config else []
    told = f"; config: {some(fields)}" if fields else ""
    return ValueError(
        f"checkpoint: step {step} in {folder} is of another model: {', '.join(problems)}{told}; "
        "use the config it was made with, or another folder"
    )
