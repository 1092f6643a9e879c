"""Pages of the documentation that are made from the code: command line, Python API, model zoo, picture, notebook."""

import importlib.util
import json
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tmunet
from tmunet.cli.main import VERBS
from tmunet.registry import list_models

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@cache
def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_tool_{name}", ROOT / "tools" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@cache
def commands() -> str:
    return str(tool("cli_reference").cli_reference())


def section(verb: str) -> str:
    return commands().split(f"## tmunet {verb}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "nnunet"])
def test_the_command_line_page_has_the_flags_of_the_parser(verb: str) -> None:
    parser = tool("cli_reference").parser_of(verb)
    flags = {flag for action in parser._actions for flag in action.option_strings} - {"-h", "--help"}
    assert set(re.findall(r"^\| `(--[\w.-]+)`", section(verb), re.MULTILINE)) == flags


def test_the_command_line_page_has_a_section_for_each_verb_and_action() -> None:
    headings = re.findall(r"^##+ tmunet (.+)$", commands(), re.MULTILINE)
    assert [heading for heading in headings if " " not in heading] == list(VERBS)
    assert "nnunet train" in headings
    assert "<!-- cli_reference -->" in (DOCS / "reference" / "cli.md").read_text("utf-8")


def test_every_public_name_is_on_the_api_page() -> None:
    page = (DOCS / "reference" / "api.md").read_text("utf-8")
    shown = re.findall(r"^::: tmunet\.(\w+)$", page, re.MULTILINE)
    assert sorted({*tmunet.__all__} - {*shown}) == []


def test_every_network_has_a_family_in_the_model_zoo() -> None:
    zoo, page = tool("model_zoo"), (DOCS / "reference" / "networks.md").read_text("utf-8")
    assert zoo.families_table() in page
    assert zoo.models_table() in page
    for name in list_models():
        assert f"| `{name}` | {zoo.family_of(name).what} | " in page


@pytest.mark.slow
def test_the_tables_of_the_model_zoo_are_those_of_the_networks() -> None:
    page = (DOCS / "reference" / "networks.md").read_text("utf-8")
    assert tool("model_zoo").with_tables(page) == page


def test_the_picture_of_the_network_has_the_shapes_of_the_code() -> None:
    drawing = tool("draw_network")
    stages = drawing.read_stages()
    picture = (DOCS / "images" / "network.svg").read_text("utf-8")
    texts = re.findall(r"<text [^>]*>([^<]+)</text>", picture)
    for stage in stages:
        at = texts.index(stage.name)
        assert texts[at + 1] == f"{stage.channels} x {stage.side} x {stage.side}"
    assert [(start.name, end.name) for start, end in drawing.find_skips(stages)] == [
        ("encoder4", "decoder5"),
        ("encoder3", "decoder4"),
        ("encoder2", "decoder3"),
        ("encoder1", "decoder2"),
    ]
    assert [stage.name for stage in stages if stage.memory] == ["encoder4", "encoder5", "decoder5", "decoder4"]


def notebook() -> Any:
    return json.loads((DOCS / "tutorial" / "notebook.ipynb").read_text("utf-8"))


def test_the_cells_of_the_notebook_were_run_in_order_and_its_links_lead_to_files() -> None:
    counts = [cell["execution_count"] for cell in notebook()["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    text = "".join(line for cell in notebook()["cells"] for line in cell["source"] if cell["cell_type"] == "markdown")
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (DOCS / "tutorial" / target).exists(), target


@pytest.mark.slow
def test_the_notebook_runs() -> None:
    content = notebook()
    names = tool("run_notebook").run_notebook(content)
    assert names["prediction"].mask.shape == names["reference"].shape
    assert names["summary"]["n"] == len(names["split"]["test"])
    shown = [output["output_type"] for cell in content["cells"] for output in cell.get("outputs", ())]
    assert shown == [o["output_type"] for cell in notebook()["cells"] for o in cell.get("outputs", ())]
    assert "display_data" in shown


def test_doctests_of_docstrings_become_code() -> None:
    pytest.importorskip("griffe")  # comes with the extra docs
    text = "Add.\n\nArgs:\n    a: one.\n\n>>> a = 1\n>>> a + 1\n2\n\nMore."
    fenced = tool("docs_examples").fence_examples(text)
    assert fenced == "Add.\n\nArgs:\n    a: one.\n\n```pycon\n>>> a = 1\n>>> a + 1\n2\n```\n\nMore."


def test_links_of_the_repository_become_links_of_the_site() -> None:
    pytest.importorskip("mkdocs")
    sys.path.insert(0, str(ROOT / "tools"))  # as mkdocs does for a hook
    try:
        site = tool("docs_site")
    finally:
        sys.path.remove(str(ROOT / "tools"))
    assert site.in_site("docs/how-to/predict.md") == "how-to/predict.md"
    assert site.in_site("results/README.md") == "repository/results/README.md"
    assert site.in_site("docs/tutorial/notebook.ipynb") == "tutorial/notebook.md"
    assert site.in_repository("how-to/predict.md", "../../results/README.md") == "results/README.md"
    assert site.in_repository("repository/README.md", "docs/index.md") == "docs/index.md"
    for page in (
        '<script src="https://unpkg.com/x">',
        '<link rel="stylesheet" href="//fonts.example/css">',
        "url(http://a/b)",
    ):
        assert site.FOREIGN.search(page), page
    for page in ('<a href="https://doi.org/10">', '<script src="assets/x.js">', '<img src="data:image/png;base64,AA">'):
        assert not site.FOREIGN.search(page), page
