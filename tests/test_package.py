"""What ``import jssl`` gives: the names people expect, each loaded when it is first used, and the version."""

import subprocess
import sys

import pytest

import jssl
from jssl.cli import main


def test_import_loads_nothing_until_a_name_is_used():
    code = (
        "import sys, jssl; light = not {'numpy', 'jax', 'flax'} & set(sys.modules); jssl.objectives.nt_xent; "
        "print(light, 'jax' in sys.modules, 'flax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "False"]


def test_names_at_the_top_are_those_of_their_modules():
    from jssl import methods, objectives, pretrain, views
    from jssl.train import loop

    assert pretrain is loop.pretrain
    assert (jssl.methods, jssl.objectives, jssl.views) == (methods, objectives, views)
    assert dir(jssl) == sorted(jssl.__all__) and all(hasattr(jssl, name) for name in jssl.__all__)
    with pytest.raises(AttributeError, match="no attribute 'pretain'"):
        _ = jssl.pretain


def test_version_names_what_a_bug_report_needs(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    words = capsys.readouterr().out
    assert words.startswith(f"jssl {jssl.__version__}, jax ") and ", Python 3." in words
