"""Where metrics go beside metrics.jsonl: TensorBoard event files and Weights & Biases, each where its package is installed.

A sink has ``write(step, values)``, with name -> finite number or text, and ``close()``.
"""

import importlib.util
import pathlib
import secrets
import socket
import time

__all__ = ["TensorBoard", "WeightsAndBiases", "installed"]


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


class TensorBoard:
    """Event files in ``tensorboard/`` of a folder; steps from ``start_step`` on that an earlier run wrote are hidden.

    They are written at once. ``SummaryWriter`` has a thread for that: when its disk is full the thread dies, and the run
    waits for ever to put its next event into a queue that nobody empties.
    """

    def __init__(self, folder: pathlib.Path, *, start_step: int):
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.record_writer import RecordWriter

        self._event = Event
        (folder / "tensorboard").mkdir(exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}"  # as TensorBoard looks for it
        self._file = RecordWriter(str(folder / "tensorboard" / name))
        self._add(0, file_version="brain.Event:2")
        self._add(start_step, session_log=SessionLog(status=SessionLog.START))
        self._file.flush()

    def _add(self, step: int, **content) -> None:
        self._file.write(self._event(wall_time=time.time(), step=step, **content).SerializeToString())

    def write(self, step: int, values: dict) -> None:
        from tensorboardX.summary import scalar

        for name, value in values.items():
            if not isinstance(value, str):
                self._add(step, summary=scalar(name, value))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class WeightsAndBiases:
    """A run of Weights & Biases, continued when the run in the folder is resumed.

    Args:
      folder: the workdir; takes ``wandb/``, and ``wandb_id``, the name by which the run is found again.
      project: where it is shown. ``WANDB_MODE=offline`` and the other settings of the package hold as always.
      config: shown beside it.
    """

    def __init__(self, folder: pathlib.Path, *, project: str, config: dict):
        import wandb

        name = folder / "wandb_id"
        if not name.exists():
            name.write_text(secrets.token_hex(4))
        self._run = wandb.init(
            project=project,
            dir=str(folder),
            id=name.read_text().strip(),
            name=folder.name,
            resume="allow",
            config=config,
        )
        # The step is a value of its own: W&B's counter refuses the steps that a killed run had already written.
        self._run.define_metric("*", step_metric="step")

    def write(self, step: int, values: dict) -> None:
        self._run.log({"step": step, **values})

    def close(self) -> None:
        self._run.finish()
