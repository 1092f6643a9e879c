import errno
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from tmunet.data.cases import read_dataset_info
from tmunet.data.io.images import read_image
from tmunet.data.io.masks import read_mask
from tmunet.data.reader import check_cases
from tmunet.data.split.splits import Split, read_split
from tmunet.datasets._build import conversion
from tmunet.datasets._build import import_dataset as build_module
from tmunet.datasets._build.faults import DatasetImportError
from tmunet.datasets._build.import_dataset import build
from tmunet.datasets._build.import_plan import ImportPlan
from tmunet.datasets._build.source import open_source
from tmunet.errors import InputError, UsageError
from tmunet.files import sha256

from ..coded_errors import coded
from . import small_set
from .small_set import COMMAND, FACTS, SIZES, make_plan, make_source, run, tree


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    return make_source(tmp_path / "origin")


def test_images_are_copied_or_become_png_and_masks_show_what_they_mean(origin, tmp_path):
    imported = run(origin, tmp_path / "set")
    files = {case.name: case.image.name for case in imported.cases}
    assert files == {
        name: f"{name}.{suffix}"
        for name, suffix in zip(
            ("bmp", "deep", "deeprgb", "gray", "jpg", "png", "rgb"),
            ("bmp", "png", "tif", "png", "jpg", "png", "png"),
            strict=True,
        )
    }
    for case in imported.cases:
        (original,) = (origin / "images").glob(f"{case.name}.*")
        assert np.array_equal(read_image(case.image), read_image(original))
        if case.name in ("png", "jpg", "bmp", "deeprgb"):
            assert case.image.read_bytes() == original.read_bytes()
        mask = np.asarray(Image.open(case.mask))
        labels = np.frombuffer((origin / "masks" / f"{case.name}.raw").read_bytes(), np.uint8)
        assert np.array_equal(mask, labels.reshape(SIZES[case.name]) * 255)
        assert case.group == (None if case.name == "bmp" else f"patient {len(case.name)}")
    assert check_cases(imported.cases, imported.info) == []
    assert {path.name for path in (tmp_path / "set").iterdir()} == {
        "images",
        "masks",
        "dataset.json",
        "official_split.json",
        "README.md",
    }


def test_the_data_set_says_where_it_comes_from(origin, tmp_path):
    imported = run(origin, tmp_path / "set")
    info = read_dataset_info(tmp_path / "set")
    assert info == imported.info
    assert (info.name, info.classes, info.ignore_label) == ("Small", ("background", "thing"), None)
    assert {key: info.information[key] for key in ("importer", "command", "source", "group_kind", "license")} == {
        "importer": "Small 3",
        "command": COMMAND,
        "source": FACTS.url,
        "group_kind": "patient",
        "license": "CC0",
    }
    for case in imported.cases:
        record = info.records[case.name]
        assert (record.image_sha256, record.mask_sha256) == (sha256(case.image), sha256(case.mask))
        assert record.group == case.group
        assert record.source[1] == f"masks/{case.name}.raw"
        assert (origin / record.source[0]).stem == case.name
    split = read_split(tmp_path / "set" / "official_split.json", list(info.records))
    assert split == Split(("png", "jpg"), (), ("bmp",))


def test_the_card_tells_people_what_it_is(origin, tmp_path):
    run(origin, tmp_path / "set")
    card = (tmp_path / "set" / "README.md").read_text()
    assert str(tmp_path) not in card
    for line in (
        "# Small",
        "Synthetic images, with a mask for each image.",
        "- Cases: 7",
        "- Labels: 0 = background, 1 = thing",
        "- Image size: 6 to 8 x 5 to 8 pixels (width x height), of 3 different sizes",
        "- Groups: 3, each a patient; cases in none: 1",
        "- Official split: 2 train, 1 test (`official_split.json`)",
        "not part of tmunet; its terms are its owner's",
        "- License: CC0",
        "- Cite: Nobody: Nothing. 2020.",
        "- From: `origin`, 14 files such as `images/bmp.BMP`, `masks/bmp.raw`",
        f"- With: `{COMMAND}`",
        "- The images are noise.",
        "- 7 cases are here.",
    ):
        assert line in card, line


def test_more_classes_and_ignored_pixels_have_a_palette(origin, tmp_path):
    source = open_source(origin, tmp_path / "staging")
    plan = make_plan(source)
    labels = np.arange(48, dtype=np.uint8).reshape(6, 8) % 3
    labels[0, 0] = 255
    case = replace(next(case for case in plan.cases if case.name == "bmp"), read_mask=lambda _size: labels)
    facts = replace(FACTS, classes=("background", "a", "b"), ignore_label=255, group=None, notes=())
    imported = build(ImportPlan(facts, [case]), source, tmp_path / "set", COMMAND)
    with Image.open(imported.cases[0].mask) as mask:
        assert mask.mode == "P"
        assert np.array_equal(np.asarray(mask), labels)
    assert np.array_equal(read_mask(imported.cases[0].mask, facts.classes, 255), labels)
    assert imported.info.ignore_label == 255
    assert not (tmp_path / "set" / "official_split.json").exists()
    card = (tmp_path / "set" / "README.md").read_text()
    for line in ("255 = ignored", "Groups: not known", "split: none", "size: 8 x 6 pixels", "Nothing was noted"):
        assert line in card


def kinds(error):
    """Kind and path of every fault."""
    return [(fault.kind, fault.path) for fault in error.value.faults]


def test_all_faults_of_all_cases_are_reported_and_nothing_stops_the_corrected_command(origin, tmp_path):
    expected = tree(run(origin, tmp_path / "sound").folder)
    broken = origin / "images" / "png.JPG", origin / "masks" / "gray.raw"
    contents = [path.read_bytes() for path in broken]
    broken[0].write_bytes(contents[0][:50])
    broken[1].write_bytes(b"xx")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DatasetImportError) as caught:
        run(origin, tmp_path / "set")
    assert kinds(caught) == [("unreadable", "gray"), ("unreadable", "png")]
    assert sorted(tmp_path.iterdir()) == before
    for path, content in zip(broken, contents, strict=True):
        path.write_bytes(content)
    assert tree(run(origin, tmp_path / "set").folder) == expected


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (np.zeros((5, 8), np.uint8), "mask-size"),
        (np.zeros((6, 8), np.int64), "mask-size"),
        (np.full((6, 8), 2, np.uint8), "mask-values"),
        (np.full((6, 8), 255, np.uint8), "mask-values"),
    ],
)
def test_a_mask_has_to_fit_the_image_and_the_classes(origin, tmp_path, labels, kind):
    source = open_source(origin, tmp_path / "staging")
    case = next(case for case in make_plan(source).cases if case.name == "bmp")
    with pytest.raises(DatasetImportError) as caught:
        build(ImportPlan(FACTS, [replace(case, read_mask=lambda _size: labels)]), source, tmp_path / "set", COMMAND)
    assert kinds(caught) == [(kind, "bmp: masks/bmp.raw")]


def test_a_source_file_that_was_removed_is_a_fault_of_its_case(origin, tmp_path):
    source = open_source(origin, tmp_path / "staging")
    (origin / "masks" / "png.raw").unlink()
    with pytest.raises(DatasetImportError) as caught:
        build(make_plan(source), source, tmp_path / "set", COMMAND)
    assert kinds(caught) == [("unreadable", f"png: {origin / 'masks' / 'png.raw'}")]


def test_every_fault_of_a_plan_is_reported_before_anything_is_written(origin, tmp_path):
    source = open_source(origin, tmp_path / "staging")
    plan = make_plan(source)
    first = plan.cases[0]
    names = ("../up", ".hidden", "a/b", "", "Case", "case", "fine")
    cases = [replace(first, name=name) for name in names]
    cases[-1] = replace(first, name="fine", masks=(PurePosixPath("gone.png"),))
    with pytest.raises(DatasetImportError) as caught:
        build(
            ImportPlan(FACTS, cases, {"train": ["fine", "lost"], "test": ["fine"]}), source, tmp_path / "set", COMMAND
        )
    assert kinds(caught) == [
        *(("unsafe-name", name) for name in ("'../up'", "'.hidden'", "'a/b'", "''")),
        *(("name-clash", name) for name in ("'Case'", "'case'")),
        ("missing-file", "gone.png"),
        *(("official-split", name) for name in ("'fine'", "'lost'")),
    ]
    with pytest.raises(DatasetImportError) as caught:
        build(ImportPlan(FACTS, []), source, tmp_path / "set", COMMAND)
    assert kinds(caught) == [("no-cases", "")]
    assert not (tmp_path / "set").exists()


def test_a_finished_data_set_and_other_files_are_left_alone(origin, tmp_path):
    run(origin, tmp_path / "set")
    before = tree(tmp_path / "set")
    with pytest.raises(UsageError, check=coded("exists")):
        run(origin, tmp_path / "set")
    assert tree(tmp_path / "set") == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    for destination in (tmp_path / "other", tmp_path / "other" / "thesis.tex"):
        with pytest.raises(UsageError, match=f"^{destination}: expected a"):
            run(origin, destination)
    assert tree(tmp_path / "other") == {"thesis.tex": b"x"}


def test_an_empty_folder_is_filled_and_keeps_its_hidden_files(origin, tmp_path):
    folder = tmp_path / "set"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "config").write_text("x")
    run(origin, folder)
    found = tree(folder)
    assert found.pop(".git/config") == b"x"
    assert found == tree(run(origin, tmp_path / "new").folder)


def test_a_destination_inside_the_source_is_refused(origin, tmp_path):
    source = open_source(origin, tmp_path / "staging")
    with pytest.raises(UsageError, check=coded("inside-source")):
        build(make_plan(source), source, origin / "new" / "set", COMMAND)
    assert not (origin / "new").exists()


def test_a_destination_that_cannot_be_written_is_an_input_error(origin, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, check=coded("unwritable")):
        run(origin, tmp_path / "file" / "set")


def test_a_full_disk_is_an_input_error_and_leaves_nothing(origin, tmp_path, monkeypatch):
    written = []
    real = conversion.write_bytes

    def fills_up(path: Path, content: bytes) -> None:
        written.append(path)
        if len(written) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, content)

    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "write_bytes", fills_up)
        with pytest.raises(InputError, match=os.strerror(errno.ENOSPC)):
            run(origin, tmp_path / "set")
    assert sorted(tmp_path.iterdir()) == before
    run(origin, tmp_path / "set")


def test_a_second_import_into_the_same_folder_does_not_mix_with_the_first(origin, tmp_path, monkeypatch):
    """The one that ends first is whole, and the other stops."""
    expected = tree(run(origin, tmp_path / "whole").folder)
    real = build_module.write_card

    def second(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr(build_module, "write_card", real)
            run(origin, tmp_path / "set")
        return real(*arguments)

    monkeypatch.setattr(build_module, "write_card", second)
    with pytest.raises(UsageError, check=coded("exists")):
        run(origin, tmp_path / "set")
    assert tree(tmp_path / "set") == expected


def test_only_temporary_folders_of_the_same_destination_are_removed(origin, tmp_path):
    names = (".set.tmunet-ab_12345", ".set-b.tmunet-ab_12345", ".set.tmunet-notes")
    for name in names:
        (tmp_path / name / "dataset").mkdir(parents=True)
    run(origin, tmp_path / "set")
    assert [(tmp_path / name).exists() for name in names] == [False, True, True]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks")
def test_an_import_that_is_killed_at_any_step_leaves_nothing_that_stops_the_next(origin, tmp_path):
    location = Path(shutil.make_archive(str(tmp_path / "origin"), "zip", origin))
    expected = tree(run(location, tmp_path / "whole").folder)
    steps = [0, 1, 2, *range(3, 180, 29), 1000]
    for number in steps:
        (tmp_path / "killed" / str(number)).mkdir(parents=True)
    command = [sys.executable, small_set.__file__, str(location), str(tmp_path / "killed"), *map(str, steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    outcomes = done.stdout.split()
    assert outcomes.count("killed") > 6
    assert outcomes[-1] == "finished"
    stale = 0
    for number, outcome in zip(steps, outcomes, strict=True):
        folder = tmp_path / "killed" / str(number) / "set"
        if outcome == "killed":
            stale += len(list(folder.parent.iterdir()))
            if not folder.exists():  # one that is killed after the last rename is complete
                run(location, folder)
                assert list(folder.parent.iterdir()) == [folder]
        assert tree(folder) == expected, number
    assert stale > 5
