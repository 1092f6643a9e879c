import os
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
from tmunet.datasets._build.build import build
from tmunet.datasets._build.import_plan import Plan
from tmunet.datasets._build.journal import unfinished
from tmunet.datasets._build.source import open_source
from tmunet.errors import DataError, UsageError
from tmunet.files import sha256

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
    assert not unfinished(tmp_path / "set")
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
        "Made-up pictures, with a mask for each image.",
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
        "- The pictures are noise.",
        "- 7 cases are here.",
    ):
        assert line in card, line


def test_more_classes_and_ignored_pixels_have_a_palette(origin, tmp_path):
    source = open_source(origin, tmp_path / "staging")
    plan = make_plan(source)
    labels = np.arange(48, dtype=np.uint8).reshape(6, 8) % 3
    labels[0, 0] = 255
    case = replace(next(case for case in plan.cases if case.name == "bmp"), draw=lambda _size: labels)
    facts = replace(FACTS, classes=("background", "a", "b"), ignore_label=255, group=None, notes=())
    imported = build(Plan(facts, [case]), source, tmp_path / "set", COMMAND)
    with Image.open(imported.cases[0].mask) as mask:
        assert mask.mode == "P"
        assert np.array_equal(np.asarray(mask), labels)
    assert np.array_equal(read_mask(imported.cases[0].mask, facts.classes, 255), labels)
    assert imported.info.ignore_label == 255
    assert not (tmp_path / "set" / "official_split.json").exists()
    card = (tmp_path / "set" / "README.md").read_text()
    for line in ("255 = ignored", "Groups: not known", "split: none", "size: 8 x 6 pixels", "Nothing was noted"):
        assert line in card


def test_the_faults_of_all_cases_come_together_and_the_rest_is_kept(origin, tmp_path):
    sound = tree(run(origin, tmp_path / "sound").folder)
    broken = origin / "images" / "png.JPG", origin / "masks" / "gray.raw"
    contents = [path.read_bytes() for path in broken]
    broken[0].write_bytes(contents[0][:50])
    broken[1].write_bytes(b"xx")
    folder = tmp_path / "set"
    with pytest.raises(DataError) as caught:
        run(origin, folder)
    assert len(caught.value.faults) == 2
    assert "gray: masks/gray.raw: holds 2 labels" in caught.value.faults[0]
    assert "png.JPG: cannot be decoded as PNG" in caught.value.faults[1]
    assert unfinished(folder)
    assert not (folder / "dataset.json").exists()
    kept = folder / "images" / "rgb.png"
    os.utime(kept, ns=(1, 1))
    for path, content in zip(broken, contents, strict=True):
        path.write_bytes(content)
    run(origin, folder)
    assert kept.stat().st_mtime_ns == 1
    assert tree(folder) == sound


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((5, 8), np.uint8), r"Expected a mask of \(6, 8\) .* but got \(5, 8\) and uint8"),
        (np.zeros((6, 8), np.int64), r"Expected a mask of .* but got \(6, 8\) and int64"),
        (np.full((6, 8), 2, np.uint8), r"Expected labels 0 to 1 in the mask, but got \[2\]"),
        (np.full((6, 8), 255, np.uint8), r"Expected labels .* but got \[255\]"),
    ],
)
def test_a_mask_has_to_fit_the_image_and_the_classes(origin, tmp_path, labels, message):
    source = open_source(origin, tmp_path / "staging")
    case = replace(next(case for case in make_plan(source).cases if case.name == "bmp"), draw=lambda _size: labels)
    with pytest.raises(DataError, match=f"bmp: {message}"):
        build(Plan(FACTS, [case]), source, tmp_path / "set", COMMAND)


def test_a_source_file_that_is_gone_is_a_fault_of_its_case(origin, tmp_path):
    source = open_source(origin, tmp_path / "staging")
    (origin / "masks" / "png.raw").unlink()
    with pytest.raises(DataError, match=r"png: .*masks/png\.raw: cannot be read: No such file or directory"):
        build(make_plan(source), source, tmp_path / "set", COMMAND)


def test_every_fault_of_a_plan_is_seen_before_anything_is_written(origin, tmp_path):
    source = open_source(origin, tmp_path / "staging")
    plan = make_plan(source)
    first = plan.cases[0]
    names = ("../up", ".hidden", "a/b", "", "Case", "case", "fine")
    cases = [replace(first, name=name) for name in names]
    cases[-1] = replace(first, name="fine", masks=(PurePosixPath("gone.png"),))
    with pytest.raises(DataError) as caught:
        build(Plan(FACTS, cases, {"train": ["fine", "lost"], "test": ["fine"]}), source, tmp_path / "set", COMMAND)
    assert len(caught.value.faults) == 9
    assert "'../up' cannot name files: it leads out of its folder; rename the files." in caught.value.faults
    assert "'.hidden' cannot name files: it is hidden, or has a slash; rename the files." in caught.value.faults
    assert "the case 'fine' needs gone.png, which is not among the files." in caught.value.faults
    assert "the official split has the case 'fine' more than once." in caught.value.faults
    assert "the official split has the case 'lost', which is not there." in caught.value.faults
    with pytest.raises(DataError, match="no cases were found; expected Small as it is distributed: folders `images`"):
        build(Plan(FACTS, []), source, tmp_path / "set", COMMAND)
    assert not (tmp_path / "set").exists()


def test_a_finished_data_set_and_other_files_are_left_alone(origin, tmp_path):
    run(origin, tmp_path / "set")
    before = tree(tmp_path / "set")
    with pytest.raises(UsageError, match=r"set: holds a data set already \(Small\)"):
        run(origin, tmp_path / "set")
    assert tree(tmp_path / "set") == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    with pytest.raises(
        UsageError, match=r"other: expected a new or empty folder for the data set, but it holds other files"
    ):
        run(origin, tmp_path / "other")
    assert tree(tmp_path / "other") == {"thesis.tex": b"x"}


def test_a_destination_inside_the_source_is_refused(origin, tmp_path):
    source = open_source(origin, tmp_path / "staging")
    with pytest.raises(UsageError, match="Expected a folder outside of"):
        build(make_plan(source), source, origin / "new" / "set", COMMAND)
    assert not (origin / "new").exists()
