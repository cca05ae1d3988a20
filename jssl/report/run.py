"""A run read back from its folder. The data it was trained on is not opened: its card says what is needed."""

import json
import pathlib
from typing import Any, NamedTuple

from jssl import sharding
from jssl.config import read_json
from jssl.data.card import Card
from jssl.evaluation import Encoder, Text
from jssl.methods import weights
from jssl.train import setup
from jssl.train.checkpoints import Checkpointer


class Loaded(NamedTuple):
    """A run with its weights.

    Attributes:
      run: see ``setup.build``.
      state: the trained one.
      initial: the one at step 0.
    """

    run: setup.Run
    state: Any
    initial: Any

    def encoder(self, sources, *, trained: bool = True, teacher: bool = False) -> Encoder:
        """What is evaluated: the features that its readouts give of ``sources``, split -> Source."""
        if teacher and self.run.method.teacher is None:
            raise ValueError(f"{self.run.method.name} has no teacher; leave --teacher out")
        variables = weights(self.state if trained else self.initial, teacher=teacher)
        about, captions = self.run.card.about, self.run.card.spec.get("captions")
        text = Text(about.tokenizer, captions.shape[1]) if about.tokenizer and captions is not None else None
        layout = sharding.batch_sharding(self.run.mesh)
        return Encoder(
            self.run.method.readouts, variables, sources, sharding=layout, text=text, name=self.run.method.name
        )


def load_run(workdir: str | pathlib.Path) -> Loaded:
    """The run in ``workdir`` with its newest whole checkpoint, on the devices that are here.

    Raises:
      ValueError: no run or no whole checkpoint there.
    """
    folder = pathlib.Path(workdir)
    for name in ("config.json", "data.json"):
        if not (folder / name).is_file():
            raise ValueError(f"no run in {workdir}: {name} is missing; give the --workdir of jssl pretrain")
    config = read_json(folder / "config.json")
    card = Card.from_json(json.loads((folder / "data.json").read_text()))
    run = setup.build(config, card, mesh=sharding.make_mesh())
    initial, _ = run.init_state()
    with Checkpointer(setup.checkpoint_folder(folder), every=1) as checkpoints:
        restored = checkpoints.restore(setup.abstract(initial), config=config.to_dict())
    if restored is None:
        raise ValueError(
            f"no whole checkpoint in {setup.checkpoint_folder(folder)}; run jssl pretrain --workdir {workdir}"
        )
    return Loaded(run, restored[0], initial)
