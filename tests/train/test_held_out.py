import numpy as np
from PIL import Image

from jssl.config import default_config
from jssl.data import open_source
from jssl.train import setup
from jssl.train.online import OnlineEvaluation


def test_a_run_without_held_out_examples(tmp_path, caplog):
    """Nine photos are too few to hold one out: they train, and one line says what is missing."""
    for i in range(9):
        Image.fromarray(np.full((8, 8, 3), i, np.uint8)).save(tmp_path / f"{i}.png")
    config = default_config()
    config.data.source = f"folder:{tmp_path}"
    assert setup.open_held_out(config) is None
    (record,) = caplog.records
    told = f'no held-out figures: no picture is left for split "test" of folder:{tmp_path}; add a test/ folder'
    assert record.message.startswith(told)
    online = OnlineEvaluation(None, open_source(config.data.source), None)
    assert online(None) == {}
