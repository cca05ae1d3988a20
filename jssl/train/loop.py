"""The loop: batches in, metrics out, checkpoints on the way. It reads the config and knows no method by name."""

import contextlib
import logging
import pathlib
from collections.abc import Callable

import jax

from jssl import processes
from jssl.data.card import Card
from jssl.diagnostics.watch import Watch
from jssl.train import setup
from jssl.train.checkpoints import Checkpointer
from jssl.train.initial import take_weights
from jssl.train.log import Collapsed, Log, NonFiniteLoss, check_skipped, nonfinite_loss
from jssl.train.metrics import MetricsWriter
from jssl.train.online import OnlineEvaluation, check_collapse
from jssl.train.progress import Progress
from jssl.train.replaced import write_replaced
from jssl.train.resume import resume
from jssl.train.signals import EXIT_CODES, StopSignals
from jssl.train.watchdog import Watchdog
from jssl.train.workdir import locked, workdir_path, write_json

__all__ = ["Collapsed", "NonFiniteLoss", "pretrain"]


def pretrain(
    config, workdir: str, *, progress: bool = True, init_from: str | None = None, partial: bool = False
) -> int:
    """Runs (or resumes) the pretraining that ``config`` describes in ``workdir``.

    In the main thread it handles SIGTERM and SIGINT while it runs; elsewhere it leaves signals alone.

    Args:
      config: see ``jssl.config.default_config``.
      workdir: takes config.json, data.json, metrics.jsonl and checkpoints/; a run found there is resumed.
      progress: say what goes on, on stderr: a bar in a terminal, lines elsewhere, a summary at the end.
      init_from: workdir of another run, whose weights a new run starts from; a run that is resumed has its own.
      partial: take those of its arrays that fit; otherwise all must.

    Returns:
      0 when all steps are done; 143 when SIGTERM stopped it after saving, 130 when SIGINT did.

    Raises:
      ValueError: a config, data, workdir or checkpoint that does not fit, or another run in the workdir.
      OSError: the workdir cannot be written, or was deleted.
      NonFiniteLoss: the loss was NaN or inf; nonfinite.json in the workdir names step and examples. Or most updates had to
        be skipped.
      Collapsed: the features collapsed, and ``run.on_collapse`` is "stop".
    """
    folder = workdir_path(workdir)
    told = Progress(config.data.batch_size, shown=progress and processes.first())
    with locked(folder) as check_lock, StopSignals() as signals, told:
        return _pretrain(config, folder, check_lock, signals, told, init_from, partial)


def _pretrain(
    config,
    folder: pathlib.Path,
    check_lock: Callable,
    signals: StopSignals,
    progress: Progress,
    init_from: str | None,
    partial: bool,
) -> int:
    source = setup.open_data(config, "train")
    card = Card.of(source)
    run = setup.build(config, card)
    state, specs = run.init_state()
    steps, batch_size, options = run.config.steps, config.data.batch_size, run.config.run
    checkpoints = Checkpointer(
        setup.checkpoint_folder(folder),
        every=options.checkpoint_every,
        keep=options.keep,
        keep_every=options.keep_every,
    )
    with checkpoints:
        if (resumed := resume(checkpoints, state, config, run)) is not None:
            state = resumed
        elif init_from:
            state, taken = take_weights(state, run.method, init_from, partial=partial)
            write_json(folder / "init_from.json", taken)
        start = int(state.step)
        write_json(folder / "config.json", config.to_dict())
        write_json(folder / "data.json", card.to_json())
        if start == steps:
            progress.begin(start, steps)
            return 0
        held_out = setup.open_held_out(config)
        feed = setup.make_feed(config, source, run.mesh)
        step_fn = run.make_step(specs)
        online = OnlineEvaluation(run, source, held_out)
        meta = {"config": config.to_dict(), "data": card.to_json()}
        progress.say(source.summary)
        progress.begin(start, steps)
        metrics_to = MetricsWriter(folder, start_step=start, wandb=options.wandb, config=config.to_dict())
        with (
            metrics_to as writer,
            contextlib.closing(feed.iterate(start)) as batches,
            Watchdog(options.watchdog) as watchdog,
        ):
            log, watch = Log(batch_size), Watch()
            for step, batch in zip(range(start, steps), batches):
                if step == start and (stop := signals.asked(start)):
                    return EXIT_CODES[stop]
                with jax.transfer_guard("disallow"):  # a hidden host sync in the step is an error, not a slow run
                    state, metrics = step_fn(state, batch)
                done = step + 1
                log.add(step, metrics, batch["index"])
                watchdog.started(step, metrics["loss"])
                if step == start:
                    log.begin()
                    progress.first_step()
                stop, last = signals.asked(done), done == steps
                line_due = last or done % options.log_every == 0
                told = line_due or step == start  # the first loss as soon as there is one
                save_due = last or stop or done % options.checkpoint_every == 0
                if told or save_due:
                    check_lock()
                # A checkpoint must not hold a state whose loss nobody has looked at.
                if (told or save_due) and options.on_nonfinite == "stop" and (bad := log.nonfinite()):
                    raise nonfinite_loss(bad, folder, last_good=checkpoints.latest_step())
                if told:
                    means = log.means() if line_due else log.so_far()
                    line = {**means, **run.rates(step), "epoch": done * batch_size / card.num_examples}
                    writer.write(step, line)
                    progress.figures(done, line)
                    check_skipped(log, line, step)
                if last or (options.eval_every and done % options.eval_every == 0):
                    with log.paused(), watchdog.paused():
                        if figures := online(state):
                            writer.write(step, figures)
                            progress.figures(done, figures)
                            if options.on_collapse != "ignore":
                                check_collapse(watch, figures, done, stop=options.on_collapse == "stop" and not last)
                progress.step()
                if save_due:
                    checkpoints.save(done, state, meta, force=True)
                if stop and not last:
                    write_replaced(folder, source, held_out)
                    logging.warning(
                        "%s: saved step %d in %s; run the same command to continue", stop.name, done, folder
                    )
                    return EXIT_CODES[stop]
    check_lock()  # a workdir that was deleted since the last line: nothing of the run is left
    progress.finish(folder, write_replaced(folder, source, held_out))
    return 0
