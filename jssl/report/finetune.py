"""Fine-tuning on labels, from a run's encoder and from scratch: the same network, labels and budget, on the step of any run."""

import contextlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from jssl import data, methods, processes, sharding
from jssl.data import Source
from jssl.evaluation import Encoder, extract
from jssl.evaluation.few_labels import choose
from jssl.evaluation.parts import Part
from jssl.evaluation.reading import batches
from jssl.methods import encoders
from jssl.methods.options import Given, ImageInput
from jssl.report.run import Loaded
from jssl.train import optimizers, schedules
from jssl.train.state import init_state
from jssl.train.step import make_train_step

__all__ = ["FineTuning"]

WARMUP = 0.1
"""Share of the steps in which the learning rate rises."""


class FineTuning:
    """Trains the network of a run on labels, with the method ``supervised``: random crops and flips, AdamW, a cosine.

    Args:
      loaded: the run.
      sources: "train" and "test", with labels.
      teacher: start from the EMA teacher.

    Raises:
      ValueError: a method that has more, or less, than one encoder of pictures.
    """

    def __init__(self, loaded: Loaded, sources: Mapping[str, Source], *, teacher: bool = False):
        config = loaded.run.config
        options = config.method.to_dict()
        name = options.pop("name")
        options = methods.complete_options(name, options)
        encoder, image = options.get("encoder"), options.get("image")
        params, extra = methods.weights(loaded.state, teacher=teacher)
        if not (isinstance(encoder, Mapping) and isinstance(image, ImageInput) and "encoder" in params):
            raise ValueError(f"finetune takes a method with one encoder of pictures; {name} has none by that name")
        card = loaded.run.card
        statistics = image.statistics(Given(card.spec, card.about))  # as it was pretrained, whatever the data are now
        self._image = {"size": image.size, "eval_size": image.eval_size, **statistics}
        self._encoder = {**encoder, **({"mask_token": True} if "mask_token" in params["encoder"] else {})}
        self._start = params["encoder"], extra.get("batch_stats", {}).get("encoder")
        self._config, self._mesh, self._sources = config, loaded.run.mesh, sources
        size = -(-256 // self._mesh.size) * self._mesh.size
        self._layout: dict[str, Any] = {"batch_size": size, "sharding": sharding.batch_sharding(self._mesh)}

    def __call__(self, **options) -> dict[str, float]:
        """``finetune``, the accuracy on the test split of the encoder trained on; see ``evaluation.classify.finetune``."""
        return {"finetune": self._train(pretrained=True, **options)[0]}

    def supervised(self, options: Mapping[str, Any]) -> Encoder:
        """The network from scratch, trained with options of ``finetune``; its ``finetune`` trains others from scratch.

        Args:
          options: see ``evaluation.classify.finetune``, with ``seed``.
        """
        score, method, variables = self._train(pretrained=False, **options)
        first = tuple(sorted(options.items()))

        def finetune(**asked):
            if tuple(sorted(asked.items())) == first:
                return {"finetune": score}
            return {"finetune": self._train(pretrained=False, **asked)[0]}

        return Encoder(method.readouts, variables, self._sources, name="supervised", finetune=finetune, **self._layout)

    def _train(
        self,
        *,
        pretrained: bool,
        epochs: int,
        labels: str,
        learning_rate: float,
        layer_decay: float,
        drop_path: float,
        weight_decay: float,
        mixup: float,
        label_smoothing: float,
        batch_size: int,
        seed: int,
    ):
        """(Accuracy, method, variables)."""
        source = self._labelled(labels, seed)
        size = min(batch_size, len(source)) // self._mesh.size * self._mesh.size
        if epochs < 1 or size < 1:
            raise ValueError(
                f"finetune: epochs={epochs}, batch_size={batch_size} of {len(source)} labelled examples on "
                f"{self._mesh.size} devices: use an epoch or more, and an example or more a device"
            )
        method, blocks = self._method(source, drop_path, mixup, label_smoothing)
        steps = max(1, epochs * len(source) // size)
        rate = schedules.warmup_cosine(learning_rate * size / 256, int(WARMUP * steps), steps)
        decay = {"layer_decay": layer_decay, "num_layers": blocks} if pretrained and blocks else {}
        tx = optimizers.build("adamw", learning_rate=rate, weight_decay=weight_decay, **decay)
        state, specs = init_state(method, tx, jax.random.key(seed), source.spec, self._mesh)
        if pretrained:
            state = self._from_encoder(state)
        step = make_train_step(method, tx, self._mesh, specs)
        feed = data.make_feed(self._config.data.feed, source, self._mesh, seed=seed, global_batch=size)
        told = f"finetune: {'from the encoder' if pretrained else 'from scratch'}"
        quiet = None if processes.first() else True  # None: in a terminal only
        with contextlib.closing(feed.iterate(0)) as examples:
            for _, batch in tqdm(zip(range(steps), examples), told, steps, disable=quiet, dynamic_ncols=True):
                state, _ = step(state, batch)
        variables = methods.weights(state)
        return self._accuracy(method, variables), method, variables

    def _labelled(self, amount: str, seed: int) -> Source:
        source = self._sources["train"]
        if amount == "100%":
            return source
        labels = np.concatenate([batch["label"] for batch in batches(source)])
        return Part(source, choose(labels, amount, seed=seed))

    def _method(self, source: Source, drop_path: float, mixup: float, label_smoothing: float):
        """The method, and how many blocks its encoder has: 0 for one without."""
        dtype = jnp.dtype(self._config.dtype)
        encoder = dict(self._encoder)
        made = encoders.make("image", encoder, image_size=self._image["size"], dtype=dtype)
        blocks = made.depth if isinstance(made, encoders.PatchEncoder) else 0
        if blocks:
            encoder["drop_path"] = drop_path
        options = {"image": self._image, "encoder": encoder, "mixup": mixup, "label_smoothing": label_smoothing}
        return methods.build("supervised", spec=source.spec, about=source.about, dtype=dtype, **options), blocks

    def _from_encoder(self, state):
        params, statistics = self._start

        def own(new, old):  # buffers of its own, which the step may donate
            return jax.device_put(jnp.copy(new), old.sharding)

        state = state.replace(params={**state.params, "encoder": jax.tree.map(own, params, state.params["encoder"])})
        if statistics:
            known = state.extra["batch_stats"]
            taken = {**known, "encoder": jax.tree.map(own, statistics, known["encoder"])}
            state = state.replace(extra={**state.extra, "batch_stats": taken})
        return state

    def _accuracy(self, method, variables) -> float:
        source = self._sources["test"]
        logits = extract(method.readouts["classifier"], variables, source, **self._layout)
        labels = np.concatenate([batch["label"] for batch in batches(source)])
        return float(np.mean(logits.argmax(-1) == labels))
