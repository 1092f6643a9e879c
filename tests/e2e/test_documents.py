"""Documents do not rot: links lead somewhere, flags and recipes that are named exist."""

import re
from pathlib import Path

import pytest

from tmunet.cli import bench, check, evaluate, export, import_, predict, reproduce, show, split
from tmunet.config import known_keys
from tmunet.metrics import policy_as_markdown
from tmunet.registry import list_models
from tmunet.training.config import TrainConfig, list_recipes

from ..contract.test_networks import PINNED

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
]
SETTINGS = {
    "train": TrainConfig,
    "evaluate": evaluate.EvaluateConfig,
    "predict": predict.PredictConfig,
    "import": import_.ImportConfig,
    "check": check.CheckConfig,
    "show": show.ShowConfig,
    "split": split.SplitConfig,
    "reproduce": reproduce.ReproduceConfig,
    "bench": bench.BenchConfig,
    "export": export.ExportConfig,
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if not target.startswith("https://"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_flags_and_recipes_that_are_named_exist(document: Path) -> None:
    for verb, rest in re.findall(rf"tmunet ({'|'.join(SETTINGS)})((?: [^\n`#]*)?)", document.read_text()):
        known = {*known_keys(SETTINGS[verb]), "resume", "help"}
        for flag in re.findall(r"--(\w[\w.-]*)", rest):
            assert flag.replace("-", "_") in known, f"tmunet {verb} --{flag}"
        for recipe in re.findall(r"--recipe (\w+)(?!\S*\.yaml)\b", rest):
            assert recipe in list_recipes()


def test_the_table_of_networks_has_the_pinned_numbers() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([\d,]+) \| ([\d.]+) \| .* \|$", networks_page(), re.MULTILINE)
    assert [name for name, *_ in rows] == list(list_models())
    for name, parameters, cost in rows:
        expected, macs = PINNED[name]
        assert (parameters, cost) == (f"{expected:,}", f"{macs / 1e9:.3f}")


def networks_page() -> str:
    return (ROOT / "docs" / "reference" / "networks.md").read_text()


def test_the_policy_for_empty_masks_is_the_code_s() -> None:
    assert policy_as_markdown() in (ROOT / "docs" / "reference" / "protocols.md").read_text()


def test_the_readme_shows_the_two_commands_first() -> None:
    text = (ROOT / "README.md").read_text()
    assert re.search(r"^# tmunet\n\n```sh\nmake demo .*\nmake test .*\n```", text)
    assert "not a medical device" in text
