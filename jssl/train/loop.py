"""The loop: batches in, metrics out, checkpoints on the way. It reads the config and knows no method by name."""

import json
import logging
import pathlib
import signal
import time

import jax
import numpy as np
from tqdm import tqdm

from jssl.config import complete
from jssl.train import setup
from jssl.train.checkpoint import Checkpointer
from jssl.train.metrics import MetricsWriter
from jssl.train.online import OnlineEvaluation
from jssl.train.record import config_difference

PREEMPTED = 143
"""Exit code after SIGTERM: 128 + 15, which schedulers take for a requeue."""


class NonFiniteLoss(RuntimeError):
    """The loss or a gradient was not finite and ``config.run.on_nonfinite`` is ``stop``."""


def pretrain(config, workdir: str, *, progress: bool = True) -> int:
    """Runs (or resumes) the pretraining that ``config`` describes in ``workdir``.

    Args:
      config: see ``jssl.config.default_config``.
      workdir: takes config.json, metrics.jsonl and checkpoints/; a run found there is resumed.
      progress: show the bar.

    Returns:
      0 when all steps are done, 143 when SIGTERM stopped it after saving.

    Raises:
      ValueError: a config, data or checkpoint that does not fit.
      NonFiniteLoss: the loss was NaN or inf; nonfinite.json in the workdir names step and examples.
    """
    source = setup.open_data(config, "train")
    run = setup.build(config, source[0]["image"].shape)
    folder = pathlib.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    state, specs = run.init_state()
    options = config.run
    checkpoints = Checkpointer(
        setup.checkpoint_folder(folder),
        every=options.checkpoint_every,
        keep=options.keep,
        keep_every=options.keep_every,
    )
    with checkpoints, Preemption() as preemption:
        state = resume(checkpoints, state, config, source)
        start = int(state.step)
        (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=1))
        feed = setup.make_feed(config, source, run.mesh)
        step_fn = run.make_step(specs)
        online = OnlineEvaluation(run, source, setup.open_data(config, "test"))
        meta = {"config": config.to_dict(), "data": source.fingerprint}
        pending: list = []
        bar = tqdm(
            total=config.steps, initial=start, unit="step", disable=not progress, dynamic_ncols=True, mininterval=1
        )
        with MetricsWriter(folder, start_step=start) as writer, bar:
            meter = Meter(config.data.batch_size)
            for step, batch in zip(range(start, config.steps), feed.iterate(start)):
                with jax.transfer_guard("disallow"):  # a hidden host sync in the step is an error, not a slow run
                    state, metrics = step_fn(state, batch)
                done = step + 1
                pending.append((step, metrics, batch["index"]))
                if done % options.log_every == 0 or done == config.steps:
                    # All but the newest step have finished by now; only this read waits for the device.
                    logged = flush(pending, meter, folder, checkpoints, options.on_nonfinite)
                    writer.write(step, logged)
                    bar.set_postfix(online.postfix(logged), refresh=False)
                if done == config.steps or (options.eval_every and done % options.eval_every == 0):
                    jax.block_until_ready(metrics)  # queued steps must not run on the time that does not count
                    with meter.paused():
                        writer.write(step, online(state))
                bar.update()
                stop = preemption.requested
                # A checkpoint must not hold a state whose loss nobody has looked at.
                if stop or done == config.steps or done % options.checkpoint_every == 0:
                    flush(pending, meter, folder, checkpoints, options.on_nonfinite)
                    checkpoints.save(done, state, meta, force=True)
                if stop:
                    logging.warning("SIGTERM: saved step %d in %s; run the same command to continue", done, folder)
                    return PREEMPTED
    return 0


def resume(checkpoints, state, config, source):
    """The newest whole checkpoint of this run, or ``state`` when there is none.

    Raises:
      ValueError: the checkpoint is of another config or other data.
    """
    restored = checkpoints.restore(setup.abstract(state), config=config.to_dict())
    if restored is None:
        return state
    state, meta, _ = restored
    old, new = (setup.lasting(c) for c in (complete(meta["config"]), config.to_dict()))
    if changed := config_difference(old, new):
        where = f"the checkpoint in {checkpoints.folder}"
        raise ValueError(f"{where} is of another config ({'; '.join(changed)}); use a new workdir")
    if meta["data"] != source.fingerprint:
        raise ValueError(f"the checkpoint in {checkpoints.folder} was trained on other data; use a new workdir")
    return state


def flush(pending, meter, folder, checkpoints, on_nonfinite) -> dict:
    """Reads the metrics of the pending steps, stops on a bad one, and returns their means and the rate."""
    rows = jax.device_get([metrics for _, metrics, _ in pending])
    for (step, _, index), row in zip(pending, rows):
        if on_nonfinite == "stop" and not all(np.isfinite(row[name]) for name in ("loss", "grad_norm")):
            report = {"step": step, "loss": str(row["loss"]), "grad_norm": str(row["grad_norm"])}
            (folder / "nonfinite.json").write_text(json.dumps({**report, "index": np.asarray(index).tolist()}))
            good = checkpoints.latest_step()
            where = f"the last good checkpoint is step {good}" if good is not None else "there is no checkpoint yet"
            raise NonFiniteLoss(
                f"loss {row['loss']} with gradient norm {row['grad_norm']} at step {step}: {where}; its examples are in "
                f"{folder / 'nonfinite.json'}; lower the learning rate or set --config.run.on_nonfinite=skip"
            )
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]} if rows else {}
    means["images_per_second"] = meter.rate(len(pending))
    pending.clear()
    return means


class Meter:
    """Images per second since the last reading, without the time spent evaluating."""

    def __init__(self, batch_size: int):
        self._batch_size, self._start = batch_size, time.perf_counter()
        self._last = 0.0

    def rate(self, steps: int) -> float:
        """The rate of the last ``steps`` steps."""
        now = time.perf_counter()
        if steps:
            self._last = steps * self._batch_size / max(now - self._start, 1e-9)
        self._start = now
        return self._last

    def paused(self):
        """Context manager: time inside does not count."""
        meter = self

        class Pause:
            def __enter__(self):
                self.start = time.perf_counter()

            def __exit__(self, *error):
                meter._start += time.perf_counter() - self.start

        return Pause()


class Preemption:
    """Notes SIGTERM while the context is open; the loop saves and leaves after the step under way."""

    requested = False

    def __enter__(self):
        self._previous = signal.signal(signal.SIGTERM, self._note)
        return self

    def _note(self, *_):
        self.requested = True

    def __exit__(self, *error):
        signal.signal(signal.SIGTERM, self._previous)
