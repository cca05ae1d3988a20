"""Where metrics go beside metrics.jsonl: TensorBoard event files and Weights & Biases, each where its package is installed.

A sink has ``write(step, values)``, with name -> finite number or text, and ``close()``.
"""

import importlib.util
import pathlib
import secrets

__all__ = ["TensorBoard", "WeightsAndBiases", "installed"]


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


class TensorBoard:
    """Event files in ``tensorboard/`` of a folder; steps from ``start_step`` on that an earlier run wrote are hidden."""

    def __init__(self, folder: pathlib.Path, *, start_step: int):
        from tensorboardX import SummaryWriter

        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=start_step)

    def write(self, step: int, values: dict) -> None:
        for name, value in values.items():
            if not isinstance(value, str):
                self._events.add_scalar(name, value, step)

    def close(self) -> None:
        self._events.close()


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
