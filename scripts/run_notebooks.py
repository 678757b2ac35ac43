"""Runs the notebooks of the documentation in a Jupyter kernel, in a folder of their own, and stores what they print:

    .venv/bin/python scripts/run_notebooks.py [NAME...]

Colab's is left out: it installs what it needs, and was not run. A test runs the notebooks without storing anything.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
NOT_RUN = {"colab"}
SECONDS = 900  # for one cell
PROGRESS = re.compile(r"^(?:decoding|fitting|reading|.*: epoch \d+/|.*timed on this machine).*\n?", re.MULTILINE)


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook as it is after all of its cells were run in `folder`; raises CellExecutionError where one fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}})
    return client.execute()


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without what changes from run to run, or shows progress only."""
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type != "code":
            continue
        printed = "".join(one.text for one in cell.outputs if one.get("name") == "stdout")
        kept = [one for one in cell.outputs if one.output_type in ("display_data", "execute_result")]
        for output in kept:
            output.data.pop("text/html", None)
        if text := PROGRESS.sub("", printed):
            kept.insert(0, nbformat.v4.new_output("stream", text=text))
        cell.outputs = kept
    notebook.metadata.language_info = {"name": "python"}
    return notebook


if __name__ == "__main__":
    for found in sorted(NOTEBOOKS.glob("*.ipynb")):
        if found.stem not in NOT_RUN and (not sys.argv[1:] or found.stem in sys.argv[1:]):
            with tempfile.TemporaryDirectory() as place:
                nbformat.write(tidy(run(found, Path(place))), found)
            print(found)
