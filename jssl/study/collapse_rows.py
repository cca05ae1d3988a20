"""The rows of ``jssl study collapse``: sound recipes and their breakages, small enough for two CPU cores."""

import dataclasses

from ml_collections import ConfigDict

from jssl.config import load_config

__all__ = ["ROWS", "Row"]

DATA = "patterns:noisy?num_examples=1024"
STEPS = 150


@dataclasses.dataclass(frozen=True)
class Row:
    """A run of the study.

    Attributes:
      name: of the row, and of its folder.
      recipe: whose ``small`` variant it starts from.
      says: what is done to it, in words.
      expected: the verdict that the literature lets one expect.
      changes: ``key=value`` of the config, beyond those of all rows of the recipe.
      method: name of the broken method in ``jssl.study.breakages``; the recipe's own if empty.
      source: where the expectation is from.
    """

    name: str
    recipe: str
    says: str
    expected: str = "healthy"
    changes: tuple[str, ...] = ()
    method: str = ""
    source: str = ""

    def config(self) -> ConfigDict:
        """Of its run.

        >>> rows = {row.name: row for row in ROWS}
        >>> config = rows["simclr_not_learning"].config()
        >>> config.method.name, config.optimizer.learning_rate, config.steps
        ('simclr', 1e-07, 150)
        """
        changes = [f"data.source={DATA}", *_ALL, *_OF_RECIPE.get(self.recipe, ()), *self.changes]
        if self.method:
            changes.append(f"method.name={self.method}")
        return load_config(f"{self.recipe}:small,synthetic", changes)


_ALL = (
    f"steps={STEPS}",
    "data.batch_size=64",
    "method.image.size=16",
    "method.image.eval_size=16",
    "run.log_every=10",
    "run.eval_every=50 %",
    "run.checkpoint_every=100 %",
    "run.on_collapse=ignore",
)
_PLAIN = tuple(f"method.image.augment.{name}_prob=0.0" for name in ("jitter", "gray", "blur", "solarize"))
_RESNET = (*_PLAIN, "method.encoder.stage_sizes=(1, 1)")
_OF_RECIPE = {
    "simclr": _RESNET,
    # Four times the rate of the recipe: what collapses does so within the run.
    "byol": (*_RESNET, "optimizer.learning_rate=0.02"),
    "dino": (*_RESNET, "method.head.hidden=128", "method.head.prototypes=128"),
    "moco": (*_RESNET, "method.queue_size=512"),
    "mae": ("method.encoder.width=64", "method.encoder.depth=2", "method.decoder.width=32"),
}
_COLD = ("method.temperature.teacher", "method.temperature.teacher_start")

ROWS: tuple[Row, ...] = (
    Row("simclr", "simclr", "SimCLR"),
    Row(
        "simclr_tagged",
        "simclr",
        "SimCLR, both views carry a tag of their picture",
        "shortcut",
        method="simclr_tagged",
        source="Chen, Luo and Li 2021, arXiv:2011.02803",
    ),
    Row(
        "simclr_not_learning",
        "simclr",
        "SimCLR, a learning rate of 1e-7",
        "not learning",
        ("optimizer.learning_rate=1e-7",),
    ),
    Row(
        "simclr_same_views",
        "simclr",
        "SimCLR, both views are the same",
        "shortcut",
        method="simclr_same_views",
        source="Chen et al. 2020, arXiv:2002.05709, section 3",
    ),
    Row(
        "simclr_without_projector",
        "simclr",
        "SimCLR, without projector",
        "healthy",
        ("method.projector=()",),
        # Jing et al. 2021, arXiv:2110.09348, find directions without variance, in wide embeddings after many epochs.
        source="Chen et al. 2020, arXiv:2002.05709, section 4.2: worse features, no collapse",
    ),
    Row(
        "simclr_without_temperature",
        "simclr",
        "SimCLR, without temperature (of 1)",
        "healthy",
        ("method.temperature=1.0",),
        source="Chen et al. 2020, arXiv:2002.05709, table 5: worse features, no collapse",
    ),
    Row("byol", "byol", "BYOL"),
    Row(
        "byol_without_stop_gradient",
        "byol",
        "BYOL, without stop-gradient (and so without a teacher)",
        "complete collapse",
        method="byol_without_stop_gradient",
        source="Chen and He 2021, arXiv:2011.10566, section 4.1",
    ),
    Row(
        "byol_without_predictor",
        "byol",
        "BYOL, without predictor",
        "complete collapse",
        ("method.predictor=()",),
        source="Grill et al. 2020, arXiv:2006.07733, table 5b",
    ),
    Row("dino", "dino", "DINO"),
    Row(
        "dino_without_centring",
        "dino",
        "DINO, targets neither balanced nor centred",
        "complete collapse",
        ("method.centering.kind=softmax",),
        method="dino_without_centring",
        source="Caron et al. 2021, arXiv:2104.14294, section 5.3",
    ),
    Row(
        "dino_without_sharpening",
        "dino",
        "DINO, without sharpening: targets centred, at a temperature of 1",
        "complete collapse",
        ("method.centering.kind=softmax", *(f"{name}=1.0" for name in _COLD)),
        source="Caron et al. 2021, arXiv:2104.14294, section 5.3",
    ),
    Row("moco", "moco", "MoCo v2"),
    Row(
        "moco_without_momentum",
        "moco",
        "MoCo v2, a momentum of 0",
        "not learning",
        ("ema.momentum=0.0", "ema.momentum_end=0.0"),
        source="He et al. 2019, arXiv:1911.05722, section 4.1",
    ),
    Row("mae", "mae", "MAE"),
    Row(
        "mae_15",
        "mae",
        "MAE, 15 % masked",
        "healthy",
        ("method.mask_ratio=0.15",),
        source="He et al. 2021, arXiv:2111.06377, figure 5: worse features, no collapse",
    ),
)
"""Each breakage stands below its healthy twin."""
