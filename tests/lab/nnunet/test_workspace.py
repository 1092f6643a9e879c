"""The folder of a training: begun once, found again, never mixed with another."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tmunet.data.dataset import open_dataset
from tmunet.errors import InputError, UsageError
from tmunet.files import write_json
from tmunet_lab.nnunet.workspace import Record, Workspace, begin, make_record, open_workspace

from ...coded_errors import coded

Make = Callable[..., Path]


def test_a_workspace_is_found_again(begun: Workspace) -> None:
    assert open_workspace(begun.folder) == begun
    assert begin(begun.folder, begun.record) == begun
    assert begun.plans == "nnUNetPlans_0.5GB"
    assert replace(begun, record=replace(begun.record, memory=None)).plans == "nnUNetPlans"
    assert begun.dataset_folder is begun.result is begun.checkpoint is None


def test_only_the_environment_may_move(begun: Workspace, tmp_path: Path) -> None:
    moved = begin(begun.folder, replace(begun.record, environment=str(tmp_path / "other")))
    assert open_workspace(begun.folder) == moved
    assert open_workspace(begun.folder, tmp_path / "third").record.environment == str(tmp_path / "third")
    with pytest.raises(
        UsageError, match=r"trainer 'nnUNetTrainer' instead of 'nnUNetTrainer_1epoch', memory 8 instead of 0\.5"
    ):
        begin(begun.folder, replace(begun.record, trainer="nnUNetTrainer", memory=8))
    assert open_workspace(begun.folder) == moved


def test_a_folder_of_other_files_is_not_taken(begun: Workspace, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "environment").mkdir(parents=True)
    assert begin(other, begun.record).folder == other
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.tex").write_text("x")
    for folder in (thesis, thesis / "chapter.tex"):
        with pytest.raises(InputError, check=coded("not-empty")):
            begin(folder, begun.record)
    with pytest.raises(InputError, check=coded("unwritable")):
        begin(thesis / "chapter.tex" / "below", begun.record)


def test_no_workspace_and_a_damaged_one_are_named(begun: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InputError, check=coded("no-workspace")):
        open_workspace(tmp_path)
    write_json(begun.folder / "workspace.json", {"data": "x", "trainr": "y"})
    with pytest.raises(InputError, check=coded("changed")):
        open_workspace(begun.folder)


def test_paths_hold_from_everywhere(make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_dataset()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    split = data / "split.json"
    record = make_record(
        open_dataset(data), Path(data.name), split.relative_to(tmp_path), Path("env"), "T", Path("mine"), None
    )
    assert record == Record(
        str(data), str(split), open_dataset(data).split.sha256, str(tmp_path / "env"), "T", str(tmp_path / "mine"), None
    )


@pytest.mark.parametrize(
    ("trainers", "memory", "message"),
    [
        (
            Path("nowhere"),
            None,
            "Expected `trainers` to be a folder of Python files with trainer classes, but got nowhere",
        ),
        (None, 0.0, "Expected `memory` to be above 0 GB, but got 0.0"),
        (None, float("nan"), "Expected `memory` to be above 0 GB, but got nan"),
    ],
)
def test_what_does_not_fit_is_refused(
    make_dataset: Make, trainers: Path | None, memory: float | None, message: str
) -> None:
    data = make_dataset()
    with pytest.raises(UsageError, match=message):
        make_record(open_dataset(data), data, None, Path("env"), "T", trainers, memory)


def test_a_split_that_changed_is_refused(begun: Workspace) -> None:
    data = Path(begun.record.data)
    assert begun.open_dataset().folder == data
    sides = begun.open_dataset().split.to_dict()
    write_json(data / "split.json", {**sides, "train": sides["test"], "test": sides["train"]})
    with pytest.raises(InputError, check=coded("other-split")):
        begun.open_dataset()
