"""What a run says of its features while it trains: k-NN on held-out labels, and collapse measures."""

import numpy as np

from jssl import methods, sharding
from jssl.diagnostics import collapse
from jssl.evaluation import features, knn


class OnlineEvaluation:
    """Evaluates a state on a fixed subset: a random one of each split.

    The online k-NN is a cheap estimate on a small bank; ``jssl evaluate`` gives the figure to quote.
    """

    def __init__(self, run, train, test):
        options = run.config.run
        self._run = run
        self._bank = _subset(train, options.online_bank)
        self._queries = _subset(test, options.online_queries)
        self._num_classes = train.num_classes
        self._view = run.eval_view()
        self._last: dict = {}

    def __call__(self, state) -> dict:
        """Returns ``eval/...`` metrics."""
        extract = lambda images: encode(self._run, state, images)  # noqa: E731
        bank, queries = extract(self._bank[0]), extract(self._queries[0])
        self._last = {f"eval/{name}": value for name, value in collapse.summary(queries).items()}
        if self._num_classes:
            predicted = knn.predict(bank, self._bank[1], queries, num_classes=self._num_classes, k=20)
            self._last["eval/knn"] = float(np.mean(np.asarray(predicted) == self._queries[1]))
        return self._last

    def postfix(self, metrics: dict) -> dict:
        """What the progress bar shows."""
        shown = {"loss": f"{metrics['loss']:.3f}", "img/s": f"{metrics['images_per_second']:.0f}"}
        if "eval/knn" in self._last:
            shown["knn"] = f"{100 * self._last['eval/knn']:.1f}%"
        return shown


def encode(run, state, images, *, use_teacher: bool = False, batch_size: int = 256) -> np.ndarray:
    """uint8 images (N, H, W, 3) -> frozen features (N, D), float32."""
    params, extra = methods.teacher(state) if use_teacher else methods.student(state)
    return features.extract(
        run.method.encode,
        params,
        extra,
        images,
        view=run.eval_view(),
        batch_size=batch_size,
        sharding=sharding.batch_sharding(run.mesh),
    )


def _subset(source, limit: int):
    """A fixed random subset: folders are sorted by class, so the first images would be of one."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(source))[:limit])
    examples = [source[int(index)] for index in chosen]
    return np.stack([e["image"] for e in examples]), np.asarray([e["label"] for e in examples])
