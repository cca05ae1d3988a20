"""The loop: batches in, metrics out, checkpoints on the way. It reads the config and knows no method by name."""

import json
import logging
import pathlib
import signal

import jax
from tqdm import tqdm

from jssl.config import complete
from jssl.data.card import Card
from jssl.differences import config_difference
from jssl.train import setup
from jssl.train.checkpoints import Checkpointer
from jssl.train.log import Log, NonFiniteLoss, nonfinite_loss
from jssl.train.metrics import MetricsWriter
from jssl.train.online import OnlineEvaluation

__all__ = ["PREEMPTED", "NonFiniteLoss", "pretrain"]

PREEMPTED = 143
"""Exit code after SIGTERM: 128 + 15, which schedulers take for a requeue."""


def pretrain(config, workdir: str, *, progress: bool = True) -> int:
    """Runs (or resumes) the pretraining that ``config`` describes in ``workdir``.

    Args:
      config: see ``jssl.config.default_config``.
      workdir: takes config.json, data.json, metrics.jsonl and checkpoints/; a run found there is resumed.
      progress: show the bar.

    Returns:
      0 when all steps are done, 143 when SIGTERM stopped it after saving.

    Raises:
      ValueError: a config, data or checkpoint that does not fit.
      NonFiniteLoss: the loss was NaN or inf; nonfinite.json in the workdir names step and examples.
    """
    source = setup.open_data(config, "train")
    card = Card.of(source)
    run = setup.build(config, card)
    folder = pathlib.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    state, specs = run.init_state()
    steps, options = run.config.steps, run.config.run
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
        (folder / "data.json").write_text(json.dumps(card.to_json(), indent=1))
        feed = setup.make_feed(config, source, run.mesh)
        step_fn = run.make_step(specs)
        online = OnlineEvaluation(run, source, setup.open_held_out(config))
        meta = {"config": config.to_dict(), "data": card.to_json()}
        log = Log(config.data.batch_size)
        bar = tqdm(total=steps, initial=start, unit="step", disable=not progress, dynamic_ncols=True, mininterval=1)
        with MetricsWriter(folder, start_step=start) as writer, bar:
            for step, batch in zip(range(start, steps), feed.iterate(start)):
                with jax.transfer_guard("disallow"):  # a hidden host sync in the step is an error, not a slow run
                    state, metrics = step_fn(state, batch)
                done = step + 1
                log.add(step, metrics, batch["index"])
                stop, last = preemption.requested, done == steps
                line_due = last or done % options.log_every == 0
                save_due = last or stop or done % options.checkpoint_every == 0
                # A checkpoint must not hold a state whose loss nobody has looked at.
                if (line_due or save_due) and options.on_nonfinite == "stop" and (bad := log.nonfinite()):
                    raise nonfinite_loss(bad, folder, last_good=checkpoints.latest_step())
                if line_due:
                    line = log.means()
                    writer.write(step, line)
                    bar.set_postfix(online.postfix(line), refresh=False)
                if last or (options.eval_every and done % options.eval_every == 0):
                    with log.paused():
                        if figures := online(state):
                            writer.write(step, figures)
                bar.update()
                if save_due:
                    checkpoints.save(done, state, meta, force=True)
                if stop:
                    logging.warning("SIGTERM: saved step %d in %s; run the same command to continue", done, folder)
                    return PREEMPTED
    return 0


def resume(checkpoints: Checkpointer, state, config, source):
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
    if meta["data"]["fingerprint"] != source.fingerprint:
        raise ValueError(f"the checkpoint in {checkpoints.folder} was trained on other data; use a new workdir")
    return state


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
