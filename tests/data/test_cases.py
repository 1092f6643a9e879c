import json
import shutil

import pytest

from tmunet.check.fix import fix
from tmunet.check.run import check_dataset
from tmunet.data.cases import Case, DatasetInfo, find_cases, natural_key, read_dataset_info
from tmunet.data.io.images import IMAGE_SUFFIXES
from tmunet.errors import DataError, InputError


def test_cases_are_paired_by_stem_in_natural_order(make_set):
    folder = make_set("10", "9", "b", "A2", "a10")
    shutil.move(folder / "images" / "9.jpg", folder / "images" / "9.JPEG")
    cases, faults = find_cases(folder)
    assert not faults
    assert [case.name for case in cases] == ["9", "10", "A2", "a10", "b"]
    assert cases[0] == Case("9", folder / "images" / "9.JPEG", folder / "masks" / "9.png")


def test_names_that_read_alike_still_have_an_order():
    names = ["", "01", "1", "A1B", "a01b", "a1b", "²"]
    for order in (names, names[::-1]):
        assert sorted(order, key=natural_key) == names


def test_other_files_are_passed_over(make_set):
    folder = make_set("a")
    for name in (".hidden.png", "._a.png", "notes.txt", "Thumbs.db"):
        (folder / "images" / name).write_text("x")
    assert [case.name for case in find_cases(folder)[0]] == ["a"]


def test_every_fault_is_in_one_error(make_set):
    folder = make_set("a", "b", "c", "d")
    (folder / "masks" / "a.png").unlink()
    (folder / "images" / "b.jpg").unlink()
    shutil.copy(folder / "images" / "c.jpg", folder / "images" / "c.png")
    shutil.copy(folder / "masks" / "d.png", folder / "masks" / "d.bmp")
    (folder / "masks" / "e.tif").mkdir()
    (folder / "images" / "e.png").symlink_to("nowhere.png")
    cases, faults = find_cases(folder)
    assert [case.name for case in cases if case.mask] == ["c", "d", "e"]
    assert len(faults) == 6
    for fragment in (
        "c.png: c.jpg has the same name 'c'",
        "d.png: d.bmp has the same name 'd'",
        "e.tif: is named like an image but is a folder",
        "e.png: is named like an image but is a folder or a broken link",
        "a.jpg: has no mask; expected",
        "b.png: has no image; expected",
    ):
        assert any(fragment in fault for fault in faults), fragment


def test_missing_folders_are_named_once(tmp_path):
    cases, faults = find_cases(tmp_path)
    assert not cases
    assert [fault.split(":")[0] for fault in faults] == [
        str(tmp_path / "images"),
        str(tmp_path / "masks"),
    ]


def test_a_set_without_images_is_a_fault(make_set):
    cases, (fault,) = find_cases(make_set())
    assert not cases
    assert all(suffix in fault for suffix in IMAGE_SUFFIXES)


def test_without_a_file_the_classes_are_two(tmp_path):
    assert read_dataset_info(tmp_path) == DatasetInfo(tmp_path.name, ("background", "foreground"), None, {})


def test_the_file_is_kept_as_it_stands(tmp_path):
    content = {
        "name": "Organs",
        "classes": ["background", "liver", "spleen"],
        "ignore_label": 255,
        "license": "CC0",
        "source": {"url": "https://example.org", "year": 2020},
    }
    (tmp_path / "dataset.json").write_text(json.dumps(content), "utf-8-sig")
    info = read_dataset_info(tmp_path)
    assert info.name == "Organs"
    assert info.classes == ("background", "liver", "spleen")
    assert info.ignore_label == 255
    assert info.information == {"license": "CC0", "source": {"url": "https://example.org", "year": 2020}}


@pytest.mark.parametrize(
    "classes", [[], ["only"], ["a", "a"], ["a", ""], ["a", 1], "ab", None, [str(n) for n in range(256)]]
)
def test_class_names_are_2_to_255_different_texts(tmp_path, classes):
    (tmp_path / "dataset.json").write_text(json.dumps({"classes": classes}))
    with pytest.raises(DataError, match="`classes`"):
        read_dataset_info(tmp_path)


def test_every_fault_of_the_file_is_in_one_error(tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps({"name": 3, "clases": ["a", "b"], "ignore_label": True}))
    with pytest.raises(DataError) as caught:
        read_dataset_info(tmp_path)
    assert caught.value.faults == (
        "the key 'clases' is not known; did you mean 'classes'?",
        "expected `name` to be a text, but got 3.",
        "expected `ignore_label` to be 255 or null, but got True.",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"{'name': 'x'}",
            "is not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2",
        ),
        (b"[]", r"expected a JSON object \{\.\.\.\}, but found a list"),
        (b'{"name": "x", "name": "y"}', "is not valid JSON: the key 'name' stands there twice"),
        (b"\xff\xfe", "is not valid JSON: 'utf-8' codec"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_no_json_object_is_named(tmp_path, content, message):
    (tmp_path / "dataset.json").write_bytes(content)
    with pytest.raises(InputError, match=r"dataset\.json: " + message):
        read_dataset_info(tmp_path)


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    (tmp_path / "dataset.json").mkdir()
    with pytest.raises(InputError, match=r"dataset\.json: "):
        read_dataset_info(tmp_path)


def test_names_that_differ_in_their_unicode_form_are_pairs(make_set):
    folder = make_set("Ka\u0308se")  # as macOS writes it
    (mask,) = (folder / "masks").iterdir()
    mask.rename(mask.with_name(f"K\u00e4se{mask.suffix}"))
    ((case,), faults) = find_cases(folder)
    assert not faults
    assert case.name == "Ka\u0308se"
    assert case.mask is not None
    assert case.mask.stem == "K\u00e4se"
    report = check_dataset(folder)
    assert not [finding for finding in report.findings if finding.severity == "fault"]
    assert len(report.cases) == 1
    fix(report, folder.parent / "copy")
    assert len(find_cases(folder.parent / "copy")[0]) == 1
