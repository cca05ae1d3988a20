"""A run read back from its folder. The data it was trained on is not opened: its card says what is needed."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import optax

from jssl import sharding
from jssl.config import read_json, read_object
from jssl.data.card import Card
from jssl.evaluation import Encoder, Text
from jssl.methods import weights
from jssl.train import setup
from jssl.train.checkpoints import Checkpointer
from jssl.train.state import abstract_state, init_state


class Loaded:
    """A run with its weights, the whole of them on each device that is here, however it was laid out in training.

    Args:
      run: see ``setup.build``.
      state: the trained one, without that of the optimiser.

    Attributes:
      run: see above.
      state: see above.
    """

    def __init__(self, run: setup.Run, state: Any):
        self.run, self.state = run, state

    @functools.cached_property
    def initial(self) -> Any:
        """The state at step 0, without that of the optimiser."""
        run = self.run
        return init_state(run.method, optax.identity(), run.key, run.card.spec, run.mesh)[0]

    @property
    def text(self) -> Text | None:
        """How its text readout takes captions; None where it was trained on none."""
        about, captions = self.run.card.about, self.run.card.spec.get("captions")
        return Text(about.tokenizer, captions.shape[1]) if about.tokenizer and captions is not None else None

    def check_teacher(self, teacher: bool) -> None:
        """ValueError if a teacher is asked for where there is none."""
        if teacher and self.run.method.teacher is None:
            raise ValueError(f"{self.run.method.name} has no teacher; leave --teacher out")

    def encoder(
        self,
        sources,
        *,
        trained: bool = True,
        teacher: bool = False,
        batch_size: int = 256,
        finetune: Callable[..., dict[str, float]] | None = None,
    ) -> Encoder:
        """What is evaluated: the features that its readouts give of ``sources``, split -> Source.

        Args:
          sources: split -> Source.
          trained: or as it was at step 0.
          teacher: read the EMA teacher.
          batch_size: examples at a time; rounded up to what the devices divide.
          finetune: see ``Encoder``.

        Raises:
          ValueError: a method without teacher.
        """
        self.check_teacher(teacher)
        variables = weights(self.state if trained else self.initial, teacher=teacher)
        return Encoder(
            self.run.method.readouts,
            variables,
            sources,
            batch_size=-(-batch_size // self.run.mesh.size) * self.run.mesh.size,
            sharding=sharding.batch_sharding(self.run.mesh),
            text=self.text,
            name=self.run.method.name,
            identity=None if trained else self._untrained(),
            reads=self.run.method.reads,
            finetune=finetune,
        )

    def _untrained(self) -> dict:
        """All that an encoder before training hangs on: options, what they were told of the data, and the seed."""
        config, card = self.run.config.to_dict(), self.run.card.to_json()
        return {"seed": config["seed"], "dtype": config["dtype"], "method": config["method"]} | {
            name: card[name] for name in ("spec", "about")
        }


def load_run(workdir: str | pathlib.Path, *, step: int | None = None) -> Loaded:
    """The run in ``workdir`` with its newest whole checkpoint, on the devices that are here.

    Args:
      workdir: of ``jssl pretrain``.
      step: the checkpoint of this step in place of the newest.

    Raises:
      ValueError: no run or no whole checkpoint there, or a file of it that cannot be read.
    """
    folder = pathlib.Path(workdir).expanduser()
    for name in ("config.json", "data.json"):
        if not (folder / name).is_file():
            raise ValueError(f"no run in {workdir}: {name} is missing; give the --workdir of jssl pretrain")
    config = read_json(folder / "config.json")
    card = Card.from_json(read_object(folder / "data.json"))
    run = setup.build(config, card, mesh=sharding.make_mesh())
    wanted = abstract_state(run.method, optax.identity(), run.key, card.spec, run.mesh)
    with Checkpointer(setup.checkpoint_folder(folder), every=1) as checkpoints:
        restored = checkpoints.restore(wanted, step=step, config=config.to_dict(), part=True)
    if restored is None:
        raise ValueError(
            f"no whole checkpoint in {setup.checkpoint_folder(folder)}; run jssl pretrain --workdir {workdir}"
        )
    return Loaded(run, restored[0])
