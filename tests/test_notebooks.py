"""The example notebooks run from top to bottom, and are committed with what they showed."""

import os
import pathlib
import re

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((pathlib.Path(__file__).resolve().parents[1] / "examples").glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def outputs(notebook):
    """What the cells printed, and kinds of everything that they gave."""
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in found for kind in (output.output_type, *output.get("data", {}))}
    return "\n".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in found), kinds


@each
def test_a_notebook_was_run_without_errors_before_it_was_committed(path):
    notebook = nbformat.read(path, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    text, kinds = outputs(notebook)
    assert "image/png" in kinds and "error" not in kinds and "Traceback" not in text
    # It says nothing of the machine that it was run on: all paths are relative.
    assert not re.findall(r"(?<![\w.:/~])/\w+/\S*", text)
    assert path.stat().st_size < 400_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq|tornado|jupyter_client|nbclient")
@each
def test_a_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, 4)
    # As a reader has it: one device, and the package that this test imports.
    env = {
        **os.environ,
        "XLA_FLAGS": "",
        "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")]),
    }
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env=env)  # raises with the traceback of the cell that failed
    assert "image/png" in outputs(notebook)[1]
