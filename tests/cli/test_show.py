"""`tmunet show`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet.data.cases import find_cases
from tmunet.files import write_json

from .conftest import Answer

Run = Callable[..., Answer]
Make = Callable[..., Path]


def test_show_draws_a_sheet_into_the_current_folder(
    tmunet: Run, golden: Callable[..., None], make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_dataset()
    write_json(data / "dataset.json", {"name": "discs / 1"})
    monkeypatch.chdir(tmp_path)
    answer = tmunet("show", data)
    assert answer.code == 0
    golden("show", answer.out)
    with Image.open(tmp_path / "discs-1-sheet.png") as sheet:
        assert sheet.format == "PNG"


def test_the_choice_is_reproducible_and_hangs_on_the_seed(tmunet: Run, make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=20, val=2, test=3)
    pictures = []
    for seed in (0, 0, 1):
        answer = tmunet("show", data, "--count", 6, "--seed", seed, "-o", tmp_path / "sheet.png")
        assert (answer.code, "6 of 25 cases" in answer.out) == (0, True)
        pictures.append((tmp_path / "sheet.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


def test_one_side_of_the_split(tmunet: Run, make_dataset: Make, tmp_path: Path) -> None:
    data, out = make_dataset(train=6, val=0, test=2), tmp_path / "sheet.png"
    assert "2 of 2 cases of discs · test" in tmunet("show", data, "--subset", "test", "--out", out).out
    empty = tmunet("show", data, "--subset", "val", "--out", out)
    assert (empty.code, empty.error, empty.paths) == (2, "empty-subset", (data / "split.json",))
    (data / "split.json").write_text("[]")
    damaged = tmunet("show", data, "--subset", "test", "--out", out)
    assert (damaged.code, damaged.error, damaged.paths) == (3, "data", (data,))
    assert "split.json" in damaged.err
    (data / "split.json").unlink()
    none = tmunet("show", data, "--subset", "test", "--out", out)
    assert (none.code, none.error, none.paths) == (2, "missing-split", (data,))


def test_a_faulty_data_set_is_shown_and_is_a_finding(tmunet: Run, make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset()
    (data / "images" / "case3.png").write_bytes(b"GIF89a")
    (data / "masks" / "case4.png").unlink()
    answer = tmunet("show", data, "--out", tmp_path / "sheet.png")
    assert answer.code == 1
    assert "12 of 12 cases" in answer.out
    assert "2 faults" in answer.out
    assert answer.out.endswith(f"tmunet check {data}\n")
    assert np.asarray(Image.open(tmp_path / "sheet.png")).std() > 5


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (("--count", 0), "value"),
        (("--count", 1001), "value"),
        (("--out", "sheet.jpg"), "suffix"),
        (("--subset", "x"), "type"),
    ],
)
def test_wrong_flags(tmunet: Run, make_dataset: Make, flags: tuple[object, ...], error: str) -> None:
    answer = tmunet("show", make_dataset(), *flags)
    assert (answer.code, answer.error) == (2, error)
    assert flags[0].removeprefix("--") in answer.err or error == "suffix"  # type: ignore[attr-defined]


def test_a_folder_without_images_is_bad_input(tmunet: Run, tmp_path: Path) -> None:
    answer = tmunet("show", tmp_path)
    assert (answer.code, answer.error) == (3, "data")
    assert find_cases(tmp_path)[0] == ()


def test_many_classes_are_counted(tmunet: Run, make_dataset: Make, tmp_path: Path) -> None:
    answer = tmunet("show", make_dataset(classes=8), "--out", tmp_path / "sheet.png")
    assert "7 classes" in answer.out


@pytest.mark.parametrize("words", [("show", "-o", "images/case0.png"), ("check", "--html", "masks/page.html")])
def test_nothing_is_written_among_the_images_and_masks(tmunet: Run, make_dataset: Make, words: tuple[str, ...]) -> None:
    data = make_dataset()
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    verb, flag, place = words
    answer = tmunet(verb, data, flag, data / place)
    assert (answer.code, answer.error, answer.paths) == (2, "among-images", (data / place,))
    assert before == {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}


def test_a_page_ends_in_html(tmunet: Run, make_dataset: Make) -> None:
    data = make_dataset()
    answer = tmunet("check", data, "--html", data / "README.md")
    assert (answer.code, answer.error, answer.paths) == (2, "suffix", (data / "README.md",))


def test_a_command_to_go_on_with_has_the_folder_in_quotes(tmunet: Run, make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset().rename(tmp_path / "my data")
    (data / "split.json").unlink()
    answer = tmunet("show", data, "--subset", "test")
    assert f"tmunet split '{data}'" in answer.err
