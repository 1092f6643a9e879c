"""Run the notebook of the documentation and store what its cells show: `python tools/run_notebook.py`.

The cells run in one process in their order, as in Jupyter; plain Python is all they need.
"""

import ast
import base64
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot

from tmunet.files import write_text

NOTEBOOK = Path(__file__).parents[1] / "docs" / "tutorial" / "notebook.ipynb"


def run_notebook(notebook: dict[str, Any]) -> dict[str, Any]:
    """Run all code cells, store their outputs in the notebook; returns the names that the cells define."""
    matplotlib.use("agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for count, cell in enumerate(cells, 1):
        cell["execution_count"], cell["outputs"] = count, _run("".join(cell["source"]), names, count)
    return names


def _run(source: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Run one cell; its outputs are what it prints, the value of a last expression, and figures."""
    body, value, printed = ast.parse(source).body, None, io.StringIO()
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    with redirect_stdout(printed):
        exec(compile(ast.Module(body, []), f"cell {count}", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {count}", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": printed.getvalue().splitlines(True)})
    if value is not None:
        data = {"text/plain": repr(value).splitlines(True)}
        outputs.append({"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": data})
    for number in pyplot.get_fignums():
        picture = io.BytesIO()
        pyplot.figure(number).savefig(picture, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
        data = {"image/png": base64.b64encode(picture.getvalue()).decode() + "\n"}
        outputs.append({"output_type": "display_data", "metadata": {}, "data": data})
    pyplot.close("all")
    return outputs


if __name__ == "__main__":
    content = json.loads(NOTEBOOK.read_text("utf-8"))
    run_notebook(content)
    write_text(NOTEBOOK, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
