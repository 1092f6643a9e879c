"""Documents agree with the code and the committed files: links, commands, Python, numbers."""

import csv
import importlib.util
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import tmunet
from tmunet import file_limits
from tmunet.cli.main import main
from tmunet.metrics import policy_as_markdown
from tmunet.registry import list_models
from tmunet.training.train_config import list_recipes

from ..contract.test_networks import PINNED

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
]
VERBS = ("train", "evaluate", "predict", "import", "check", "show", "split", "reproduce", "bench", "export", "loop")
COST, SCORES = ROOT / "benchmarks" / "cpu" / "bench.csv", ROOT / "results" / "cpu" / "table1.csv"


def named(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    for target, _, heading in re.findall(r"\]\(([^)#\s]*)(#?)([^)]*)\)", document.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        found = (document.parent / target) if target else document
        assert found.exists(), target
        if heading and found.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", found.read_text("utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings], heading


@cache
def flags_of(verb: str) -> frozenset[str]:
    """Flags of a command, from the help of the real parser."""
    from contextlib import redirect_stdout, suppress
    from io import StringIO

    shown = StringIO()
    with redirect_stdout(shown), suppress(SystemExit):
        main([verb, "--help"])
    return frozenset(flag.replace("-", "_") for flag in re.findall(r"--(\w[\w.-]*)", shown.getvalue()))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_flags_and_recipes_of_commands_exist(document: Path) -> None:
    for verb, rest in re.findall(rf"tmunet ({'|'.join(VERBS)})((?: [^\n`#]*)?)", document.read_text("utf-8")):
        for flag in re.findall(r"--(\w[\w.-]*)", rest):
            assert flag.replace("-", "_") in flags_of(verb) | {"resume"}, f"tmunet {verb} --{flag}"
        for recipe in re.findall(r"--recipe (\w+)(?!\S*\.yaml)\b", rest):
            assert recipe in list_recipes()


def test_commands_of_make_exist() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for document in DOCUMENTS:
        for target in re.findall(r"^make (\w[\w-]*)", document.read_text("utf-8"), re.MULTILINE):
            assert target in targets, f"{document.name}: make {target}"


def test_python_of_the_readme_uses_public_names() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    names = re.findall(r"\btmunet\.(\w+)(?:\.(\w+))?", code)
    assert names
    for name, inner in names:
        found = getattr(tmunet, name)
        assert not inner or hasattr(found, inner)


def test_python_of_the_metrics_page_gives_the_values_in_its_comments() -> None:
    text = (ROOT / "docs" / "reference" / "protocols.md").read_text("utf-8")
    code = "".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    names: dict[str, Any] = {}
    checked = 0
    for line in code.splitlines():
        expression, _, comment = line.partition("  # ")
        if value := re.match(r"[\d.]+", comment):
            assert eval(expression, names) == pytest.approx(float(value[0]))
            checked += 1
        else:
            exec(expression, names)
    assert checked == 4


def table_of(document: Path, first_heading: str) -> list[list[str]]:
    """Cells of the rows of a table whose first column has code in it."""
    part = document.read_text("utf-8").split(f"| {first_heading} |", 1)[1].split("\n\n", 1)[0]
    return [
        [cell.strip(" `") for cell in line.strip("| ").split(" | ")] for line in part.splitlines() if line[:3] == "| `"
    ]


def costs() -> dict[str, dict[str, str]]:
    with COST.open(encoding="utf-8", newline="") as file:
        return {row["network"]: row for row in csv.DictReader(file) if row["work"] == "Prediction"}


def test_the_table_of_the_readme_has_the_numbers_of_the_committed_files() -> None:
    with SCORES.open(encoding="utf-8", newline="") as file:
        dice = {
            row["model"]: row
            for row in csv.DictReader(file)
            if (row["data"], row["split"], row["protocol"], row["metric"])
            == ("CVC-ClinicDB", "random", "paper", "dice")
        }
    rows = table_of(ROOT / "README.md", "network")
    assert len(rows) == 5
    for name, *shown in rows:
        cost, score = costs()[name], dice[name]
        assert shown == [
            f"{int(cost['parameters']):,}",
            f"{int(cost['macs']) / 1e9:.2f}",
            f"{1000 * float(cost['seconds_median']):.0f}",
            f"{float(score['mean']):.1f}",
            score["paper"] or "-",
        ]


@pytest.mark.parametrize("page", ["README.md", "docs/explanation/limits.md"])
def test_the_numbers_of_the_learned_start_are_those_of_the_committed_table(page: str) -> None:
    with (ROOT / "results" / "pretrained" / "table1.csv").open(encoding="utf-8", newline="") as file:
        dice = {
            (row["split"], row["model"], not row["model_args"]): f"{float(row['mean']):.1f}"
            for row in csv.DictReader(file)
            if (row["protocol"], row["metric"]) == ("strict", "dice") and row["mean"]
        }
    text = (ROOT / page).read_text("utf-8")
    shown = re.search(
        r"Dice (?:is )?([\d.]+)\s[^|]*?\sand ([\d.]+)\swithout[^|]*?\s([\d.]+) with it and ([\d.]+) without", text
    )
    assert shown is not None
    assert shown.groups() == tuple(
        dice[split, "tmunet_lite0", memory] for split in ("random", "grouped") for memory in (True, False)
    )
    if "U-Lite from fresh weights" in text:
        assert f"has {dice['random', 'ulite', True]} on the first split" in text


def test_the_latencies_of_the_learned_start_are_those_of_the_committed_benchmark() -> None:
    with (ROOT / "benchmarks" / "light" / "bench.csv").open(encoding="utf-8", newline="") as file:
        ratio = {row["network"]: f"{float(row['times_reference_median']):.2f}" for row in csv.DictReader(file)}
    text = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert f"{ratio['tmunet_lite0']} of the base size's latency where U-Lite takes {ratio['ulite']}" in text


def test_the_table_of_cost_has_the_numbers_of_the_committed_files() -> None:
    rows = table_of(ROOT / "docs" / "explanation" / "cost.md", "network")
    assert len(rows) == 11
    for name, parameters, gmacs, _, milliseconds, images, ratio, peak in rows:
        cost = costs()[name]
        assert (parameters, gmacs) == (f"{int(cost['parameters']):,}", f"{int(cost['macs']) / 1e9:.3f}")
        assert milliseconds == f"{1000 * float(cost['seconds_median']):.0f}"
        assert images == f"{float(cost['images_per_second']):.2f}"
        assert ratio == f"{float(cost['times_reference_median']):.2f}"
        assert peak == f"{int(cost['peak_bytes']) / 1e6:.0f}"


def test_the_table_of_networks_has_the_pinned_numbers() -> None:
    text = (ROOT / "docs" / "reference" / "networks.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([\d,]+) \| ([\d.]+) \| .* \|$", text, re.MULTILINE)
    assert [name for name, *_ in rows] == list(list_models())
    for name, parameters, cost in rows:
        expected, macs = PINNED[name]
        assert (parameters, cost) == (f"{expected:,}", f"{macs / 1e9:.3f}")


def test_the_policy_for_empty_masks_is_that_of_the_code() -> None:
    assert policy_as_markdown() in (ROOT / "docs" / "reference" / "protocols.md").read_text("utf-8")


def test_the_readme_begins_with_the_two_commands_and_names_what_the_package_is_not() -> None:
    first_screen = (ROOT / "README.md").read_text("utf-8").split("\n## ", 1)[0]
    assert re.search(r"^# tmunet\n\n```sh\nmake demo .*\nmake test .*\n```", first_screen)
    assert "not a medical device" in first_screen
    assert "GPU" in first_screen


def test_the_index_links_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)", index.read_text("utf-8"))}
    assert {page.resolve() for page in (ROOT / "docs").rglob("*.md")} - {index} <= linked


def python_of(document: Path) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", document.read_text("utf-8"), re.DOTALL))


@pytest.mark.parametrize("document", [page for page in DOCUMENTS if "tmunet" in python_of(page)], ids=named)
def test_names_in_python_of_documents_exist(document: Path) -> None:
    code = python_of(document)
    for name in re.findall(r"\btmunet\.([a-zA-Z]\w*)", re.sub(r"^(?:from|import) .*$", "", code, flags=re.MULTILINE)):
        assert hasattr(tmunet, name) or importlib.util.find_spec(f"tmunet.{name}"), name
    for module, names in re.findall(r"^from (tmunet[\w.]*) import ([\w, ]+)", code, re.MULTILINE):
        for name in names.split(","):
            assert hasattr(importlib.import_module(module), name.strip()), f"{module}: {name}"


def test_files_and_names_of_the_code_map_exist() -> None:
    text = (ROOT / "docs" / "reference" / "code-map.md").read_text("utf-8")
    places = re.findall(r"`(tmunet\w*/[\w/]+\.py)`(?:, `([^`]+)`)?", text)
    assert len(places) > 9
    for file, name in places:
        code = (ROOT / "src" / file).read_text("utf-8")
        assert not name or name.rpartition(".")[2] in code, f"{file}: {name}"


def test_the_table_of_extras_has_all_of_pyproject() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    rows = table_of(ROOT / "docs" / "how-to" / "install.md", "extra")
    assert sorted(row[0] for row in rows) == sorted(extras.keys() - {"dev"})
    inside = re.findall(r"[\w-]+", " ".join(extras["all"]))
    assert sorted(set(inside) - {"tmunet"}) == sorted(extras.keys() - {"all", "dev", "docs"})


def test_the_page_of_limits_states_the_limits() -> None:
    page = (ROOT / "docs" / "reference" / "file-limits.md").read_text("utf-8")
    for name, unit, word in (
        ("MAX_PIXELS", 1, ""),
        ("MAX_DICOM_BYTES", 2**30, " GiB"),
        ("MAX_FRAMES", 1, " frames"),
        ("MAX_INFLATED_BYTES", 2**20, " MiB"),
        ("MAX_GEOJSON_BYTES", 2**30, " GiB"),
        ("MAX_YAML_VALUES", 1, ""),
        ("PROBE_SECONDS", 1, " s"),
    ):
        assert re.search(rf"{getattr(file_limits, name) // unit:,}{word}[^|]*\(`{name}`\)", page), name
