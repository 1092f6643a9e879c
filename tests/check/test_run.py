"""`check_dataset`: what the report holds besides the findings, and what it says."""

import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmunet.check import dataset_rules
from tmunet.check.findings import CaseFacts
from tmunet.check.format import as_text
from tmunet.check.run import check_dataset
from tmunet.data.io.masks import read_mask
from tmunet.errors import InputError
from tmunet.files import write_json

from ..data.conftest import encode_png
from .corpus import CONTROL, SHAPE, Folder, disc


def message(folder: Folder, kind: str) -> str:
    (finding,) = (finding for finding in check_dataset(folder.path).findings if finding.kind == kind)
    return finding.message


def test_the_facts_of_the_cases(folder: Folder) -> None:
    write_json(folder.path / "dataset.json", {"name": "discs", "cases": {"control1": {"group": "patient 1"}}})
    report = check_dataset(folder.path)
    share = disc().sum() / disc().size
    assert report.cases[1] == CaseFacts("control1", "patient 1", 64, 48, 3, 8, {"foreground": share})
    assert [case.name for case in report.cases] == list(CONTROL)
    assert (report.split, report.leaks) == (None, None)


def test_a_given_split_is_looked_at_in_place_of_the_folders_own(folder: Folder, tmp_path: Path) -> None:
    (folder.path / "split.json").write_text("damaged")
    write_json(tmp_path / "other.json", {"train": CONTROL[:2], "test": CONTROL[2:]})
    report = check_dataset(folder.path, tmp_path / "other.json")
    assert report.findings == ()
    assert report.split is not None
    assert report.split.test == CONTROL[2:]


def test_a_split_file_that_is_not_there_is_a_finding(folder: Folder, tmp_path: Path) -> None:
    (finding,) = check_dataset(folder.path, tmp_path / "none.json").findings
    assert (finding.kind, finding.files) == ("split-file", ("none.json",))


@pytest.mark.parametrize("make", ["nothing", "a file", "an empty folder"])
def test_what_is_no_data_set_is_an_error(tmp_path: Path, make: str) -> None:
    path = tmp_path / "x"
    if make == "a file":
        path.write_text("x")
    elif make == "an empty folder":
        path.mkdir()
    with pytest.raises(InputError, match=re.escape(str(path))):
        check_dataset(path)


def test_sizes_are_explained(folder: Folder) -> None:
    folder.case("a", mask=disc(SHAPE[::-1]))
    assert re.search(r"64 x 48 .*48 x 64; .*swapped", message(folder, "size-mismatch"))
    folder.case("a", mask=disc((24, 32), 6))
    assert "scaled by 0.5" in message(folder, "size-mismatch")
    folder.case("a", mask=disc((48, 59)))
    assert "cropped" in message(folder, "size-mismatch")


def test_colors_are_counted_most_frequent_first(folder: Folder) -> None:
    colors = np.zeros((*SHAPE, 3), np.uint8)
    colors[:10] = (255, 0, 0)
    colors[40:41] = (0, 0, 7)
    folder.case("a", mask=colors)
    said = "(0, 0, 0): 2,368 pixels, (255, 0, 0): 640 pixels, (0, 0, 7): 64 pixels."
    assert message(folder, "mask-colors").endswith(said)


@pytest.mark.parametrize(
    ("values", "others", "fixable"),
    [
        ((0, 128), (0, 255), True),
        ((0, 128), (0, 128), True),
        ((0, 128), (0, 128, 255), False),  # three classes, one of which is missing in a mask
        ((0, 2), (0, 1), False),
        ((0, 2), (0, 1, 2), False),
        ((0, 1, 255), (0, 255), False),  # 255 may mean "ignore"
        ((0, 20, 220, 255), (0, 255), True),
        ((0, 20, 100, 255), (0, 255), False),
        ((7,), (0, 255), False),
    ],
)
def test_a_mask_is_mended_only_if_one_reading_is_possible(
    tmp_path: Path, values: tuple[int, ...], others: tuple[int, ...], fixable: bool
) -> None:
    folder = Folder(tmp_path / "set")
    for name, stored in (("a", values), ("b", others)):
        folder.case(name, mask=np.resize(np.array(stored, np.uint8), SHAPE))
    findings = [finding for finding in check_dataset(folder.path).findings if "masks/a.png" in finding.files]
    assert [(finding.kind, finding.fixable) for finding in findings if finding.severity == "fault"] == [
        ("mask-values", fixable)
    ]


@pytest.mark.parametrize("values", [(0, 3), (0, 1, 2, 255), tuple(range(0, 250, 10))])
def test_a_mask_that_is_not_mended_gets_the_advice_that_training_gives(tmp_path: Path, values: tuple[int, ...]) -> None:
    folder = Folder(tmp_path / "set")
    folder.case("a", mask=np.resize(np.array(values, np.uint8), SHAPE))
    folder.case("b", mask=np.resize(np.array((0, 1), np.uint8), SHAPE))
    (hint,) = (finding.hint for finding in check_dataset(folder.path).findings if finding.files == ("masks/a.png",))
    with pytest.raises(InputError) as caught:
        read_mask(folder.path / "masks" / "a.png", ("background", "foreground"))
    assert str(caught.value).endswith(f" {hint}")


def test_faults_of_a_file_keep_the_names_of_its_keys(folder: Folder) -> None:
    write_json(folder.path / "split.json", {"train": [*CONTROL, "x"]})
    assert message(folder, "split-file").startswith("train: ")
    write_json(folder.path / "dataset.json", {"cases": {"control0": 3}})
    assert message(folder, "dataset-json").startswith("cases, 'control0': ")
    write_json(folder.path / "dataset.json", {"name": "", "cases": {}})
    assert message(folder, "dataset-json").startswith("Expected `name` ")
    write_json(folder.path / "dataset.json", {"cases": {"gone": {}}})
    assert re.search(r"\b1 case\b.*'gone'", message(folder, "record-without-case"))


@pytest.mark.parametrize(("classes", "advice"), [(["liver"], "Open the masks"), (["liver", "spleen"], "Take it out")])
def test_a_class_is_taken_out_only_if_another_is_left(folder: Folder, classes: list[str], advice: str) -> None:
    write_json(folder.path / "dataset.json", {"classes": ["background", *classes]})
    for name in CONTROL:
        folder.mask(f"{name}.png", disc() * (len(classes) - 1))
    (hint,) = (finding.hint for finding in check_dataset(folder.path).findings if finding.kind == "unused-class")
    assert hint.startswith(advice)


def test_pairs_beyond_a_limit_are_counted(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    still = folder.noise()
    for i in range(5):
        still[0, i] ^= 64
        folder.case(f"frame{i}", still)
    monkeypatch.setattr(dataset_rules, "_MAX_PAIRS", 3)
    near = [finding for finding in check_dataset(folder.path).findings if finding.kind == "near-duplicate"]
    assert len(near) == 4
    assert [finding.message.split()[0] for finding in near if not finding.files] == ["7"]


def test_the_text_names_kinds_worst_first_and_shortens(folder: Folder) -> None:
    assert as_text(check_dataset(folder.path)).endswith("\n\nNo findings.")
    for i in range(10):
        folder.image(f"lonely{i}.png")
    folder.case("nothing", mask=disc() * 0)
    text = as_text(check_dataset(folder.path))
    head, fault, note, counts = text.split("\n\n")
    assert head == f"{folder.path}: 5 cases that can be read, 20 files."
    assert fault.startswith("FAULT missing-mask (10)\n  images/lonely0.png: Expected a mask")
    assert "... and 2 more (see --json)" in fault
    assert note.startswith("NOTE empty-mask (1)")
    assert counts == "10 faults, 0 warnings, 1 note. --fix COPY fixes 10 of them, or sets the file aside, in a copy."


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_hostile_names_do_not_reach_the_terminal(folder: Folder) -> None:
    folder.case("a\x1b[2J")
    folder.case("\udcff")
    report = check_dataset(folder.path)
    text = as_text(report)
    assert "\x1b" not in text
    assert "images/a\\x1b[2J.png" in text
    assert "images/\\udcff.png: The name is not valid UTF-8" in text
    assert json.loads(json.dumps(report.to_dict()))["cases"][-1]["name"] == "\udcff"


def test_json_holds_everything(folder: Folder) -> None:
    folder.image("lonely.png")
    write_json(folder.path / "split.json", {"train": CONTROL[:2], "test": CONTROL[2:]})
    content = json.loads(json.dumps(check_dataset(folder.path).to_dict(), allow_nan=False))
    assert content["counts"] == {"fault": 1, "warning": 0, "note": 1}
    assert [finding["kind"] for finding in content["findings"]] == ["missing-mask", "not-in-split"]
    assert content["findings"][0]["files"] == ["images/lonely.png"]
    assert content["split"]["train"] == list(CONTROL[:2])
    assert [leak["side"] for leak in content["leaks"]] == ["test", "test", "val"]


def test_a_palette_that_lacks_colors_is_unreadable(folder: Folder) -> None:
    rows = (b"\0" + bytes([1, 7])) * 2
    picture = encode_png(2, 2, 8, 3, rows, palette=bytes([0, 0, 0, 255, 255, 255]))
    folder.case("a", mask=disc((2, 2)))
    (folder.path / "images" / "a.png").write_bytes(picture)
    assert "2 colors" in message(folder, "unreadable")


def test_a_palette_that_lacks_colors_is_no_matter_in_a_mask(folder: Folder) -> None:
    write_json(folder.path / "dataset.json", {"classes": ["background", "a", "b"]})
    rows = (b"\0" + bytes([1, 2])) * 2
    folder.image("a.png", folder.noise(2, 2, 3))
    (folder.path / "masks" / "a.png").write_bytes(encode_png(2, 2, 8, 3, rows, palette=bytes(6)))
    assert all("masks/a.png" not in finding.files for finding in check_dataset(folder.path).findings)


@given(place=st.floats(0, 1), damage=st.binary(min_size=1, max_size=6), kind=st.sampled_from(["png", "jpg", "tif"]))
@settings(max_examples=25, deadline=None)
def test_no_damage_stops_the_check(place: float, damage: bytes, kind: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Folder(Path(temporary) / "set")
        for write in (folder.image, folder.mask):
            path = write(f"a.{kind}")
            content = bytearray(path.read_bytes())
            start = int(place * len(content))
            content[start : start + len(damage)] = damage
            path.write_bytes(content)
        report = check_dataset(folder.path)
    assert report.files == 2
    assert {file for finding in report.findings for file in finding.files} <= {f"images/a.{kind}", f"masks/a.{kind}"}


def test_a_leak_lists_the_first_pairs_and_counts_the_rest(folder: Folder) -> None:
    names = [f"frame{i:02}" for i in range(24)]
    for name in names:
        folder.case(name)
    write_json(folder.path / "dataset.json", {"cases": {name: {"group": "video 1"} for name in names}})
    write_json(folder.path / "split.json", {"train": [*CONTROL, *names[:12]], "test": names[12:]})
    report = check_dataset(folder.path)
    (finding,) = report.findings
    assert finding.message.count(" and frame00 (both of video 1)") == 10
    assert finding.message.endswith(" and 2 more.")
    assert finding.cases == tuple(names[12:])
    assert report.of_case("frame12") == (finding,)
    assert "frame14" in as_text(report)


def test_mends_and_files_beyond_a_few_are_counted(folder: Folder) -> None:
    for i in range(5):
        (folder.path / "images" / f"x{i}.czi").write_bytes(b"x")
    assert "images/x0.czi, images/x1.czi, images/x2.czi and 2 more: files with the suffix .czi: 5" in as_text(
        check_dataset(folder.path)
    )


@pytest.mark.parametrize("values", [(1, 2), (64, 200), (5, 250, 255)])
def test_two_values_without_0_have_more_than_one_reading(tmp_path: Path, values: tuple[int, ...]) -> None:
    folder = Folder(tmp_path / "set")
    folder.control()
    folder.case("a", mask=np.resize(np.array(values, np.uint8), SHAPE))
    found = [(one.kind, one.fixable) for one in check_dataset(folder.path).findings if one.kind.startswith("mask")]
    assert found == [("mask-values", False)]


@pytest.mark.parametrize(
    ("train", "val", "severity"),
    [
        (CONTROL[:2], (CONTROL[3],), "fault"),  # absent from train and val
        (CONTROL[1:3], (CONTROL[3],), "warning"),  # absent from val
        ((), CONTROL[1:3], None),  # a subset without images lacks nothing
        (CONTROL[2:3], (), None),
    ],
)
def test_a_class_that_is_not_on_a_side_is_worst_in_train(
    folder: Folder, train: tuple[str, ...], val: tuple[str, ...], severity: str | None
) -> None:
    write_json(folder.path / "dataset.json", {"classes": ["background", "liver", "spleen", "unused"]})
    for name in CONTROL:
        mask = disc()
        mask[0] = 2 if name == CONTROL[2] else 0
        folder.mask(f"{name}.png", mask)
    write_json(folder.path / "split.json", {"train": train, "val": val})
    found = [finding for finding in check_dataset(folder.path).findings if finding.kind == "class-not-on-side"]
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    for finding in found:
        assert (finding.files, finding.cases) == (("split.json",), (CONTROL[2],))
        assert "'spleen'" in finding.message
