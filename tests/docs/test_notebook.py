"""The notebook runs, and gives the outputs that are stored in it."""

import ast
import contextlib
import io
import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "tour.ipynb"
CELLS = [
    cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"
]


def run(source, names):
    """Run a cell; returns what it prints, and what a notebook shows of its last line."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    out, shown = io.StringIO(), ""
    with contextlib.redirect_stdout(out):
        exec(compile(ast.Module(body, []), str(NOTEBOOK), "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)
            shown = "" if value is None else repr(value)
    return out.getvalue(), shown


def stored(cell):
    """The outputs that the notebook has of a cell."""
    printed, shown = "", ""
    for output in cell["outputs"]:
        assert output["output_type"] in ("stream", "execute_result"), output
        if output["output_type"] == "stream":
            assert output["name"] == "stdout", output
            printed += "".join(output["text"])
        else:
            shown += "".join(output["data"]["text/plain"])
    return printed, shown


def test_the_notebook():
    names = {"__name__": "__main__"}
    try:
        for number, cell in enumerate(CELLS, 1):
            source = "".join(cell["source"])
            assert run(source, names) == stored(cell), f"cell {number}:\n{source}"
    finally:
        if "server" in names:
            names["server"].stop()


def test_it_was_run_from_top_to_bottom():
    assert [cell["execution_count"] for cell in CELLS] == list(range(1, len(CELLS) + 1))
    assert any(any(stored(cell)) for cell in CELLS)


def test_a_difference_would_be_seen():
    assert run("print(1)\n2", {}) == ("1\n", "2")
    with pytest.raises(ZeroDivisionError):
        run("1 / 0", {})
