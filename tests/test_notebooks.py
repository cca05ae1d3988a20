"""The example notebooks run from top to bottom, and are committed with what they showed."""

import os
import pathlib

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((pathlib.Path(__file__).resolve().parents[1] / "examples").glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def outputs(notebook):
    """Text and kind of everything that the cells gave."""
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in found for kind in output.get("data", {})}
    return "".join(str(output.get("text", "")) + str(output.get("data", "")) for output in found), kinds


@each
def test_a_notebook_was_run_without_errors_before_it_was_committed(path):
    notebook = nbformat.read(path, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    text, kinds = outputs(notebook)
    assert "image/png" in kinds and "Traceback" not in text and "/home/" not in text and "/tmp/" not in text
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
