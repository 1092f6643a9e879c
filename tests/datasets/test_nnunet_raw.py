import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tmunet.data.cases import Case, DatasetInfo
from tmunet.data.dataset import Dataset, open_dataset
from tmunet.data.io.images import read_image, to_channels
from tmunet.data.io.masks import read_mask
from tmunet.data.split.splits import Split
from tmunet.datasets import nnunet_raw as nnunet
from tmunet.datasets._build.faults import DatasetImportError
from tmunet.datasets._build.import_dataset import import_dataset
from tmunet.errors import DataError, InputError, UsageError
from tmunet.files import write_json
from tmunet_lab.nnunet.raw_export import write_nnunet

from ..coded_errors import coded
from .miniatures import SMALL, box, faults_of, make_nnunet, photograph, save, source_of

HOSTILE = "a b", "c_0000", "ü.x", "d"


@pytest.mark.parametrize("ending", [".png", ".bmp", ".tif"])
def test_labels_become_classes_and_pixels_to_ignore(tmp_path, ending):
    make_nnunet(tmp_path, ending=ending)
    plan = nnunet.plan(source_of(tmp_path))
    assert (plan.facts.name, plan.facts.classes, plan.facts.ignore_label) == (
        "Organs",
        ("background", "liver", "spleen"),
        255,
    )
    assert plan.facts.modality == "channels: R, G, B"
    assert [case.name for case in plan.cases] == ["a", "b_0001", "c", "d"]
    assert np.array_equal(plan.cases[1].read_mask(SMALL), np.maximum(box(0, 0, 2), box(3, 4, 255)))
    assert plan.official == {"train": ["a", "b_0001", "c"], "test": ["d"]}
    assert not plan.remarks


@pytest.mark.parametrize("spelling", ["licence", "license"])  # nnU-Net writes the first
def test_without_labels_the_test_images_are_no_cases(tmp_path, spelling):
    home = make_nnunet(tmp_path)
    (home / "labelsTs/d.png").unlink()
    description = json.loads((home / "dataset.json").read_text())
    description |= {"name": "Abdomen", spelling: "CC0", "reference": "https://example.org"}
    description["labels"] = {"background": 0, "a": 1, "b": 2, "c": 3}
    write_json(home / "dataset.json", description)
    plan = nnunet.plan(source_of(home))
    assert (plan.facts.name, plan.facts.license, plan.facts.url) == ("Abdomen", "CC0", "https://example.org")
    assert plan.facts.ignore_label is None
    assert len(plan.cases) == 3
    assert plan.official == {}
    assert plan.remarks == ("Not used: imagesTs/d_0000.png.",)


def test_the_name_may_come_from_the_folder_that_the_user_points_at(tmp_path):
    assert nnunet.plan(source_of(make_nnunet(tmp_path))).facts.name == "Organs"


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ({"file_ending": ".nii.gz"}, "file-format"),
        ({"labels": {"background": 0, "organ": [1, 2]}}, "labels"),
        ({"labels": {"background": 0, "organ": 2}}, "labels"),
        ({"labels": {"background": 0, "ignore": 1, "organ": 2}}, "labels"),
        ({"labels": {"background": 0, "ignore": 1}}, "labels"),
        ({"labels": {"0": "background"}}, "labels"),
        ({"labels": ["background"]}, "labels"),
        ({"channel_names": ["R"]}, "value"),
        ({"numTraining": 4}, "case-count"),
        ({"numTraining": "3"}, "value"),
        ({"dataset": {}}, "file-list"),
    ],
)
def test_what_is_not_supported_is_a_fault_of_dataset_json(tmp_path, description, kind):
    make_nnunet(tmp_path, description)
    assert faults_of(nnunet.plan, tmp_path) == {(kind, "nnUNet_raw/Dataset120_Organs/dataset.json")}


def test_missing_keys_are_reported_together(tmp_path):
    write_json(tmp_path / "dataset.json", {"name": "discs", "labels": {}})
    with pytest.raises(DatasetImportError) as caught:
        nnunet.plan(source_of(tmp_path))
    assert [fault.kind for fault in caught.value.faults] == ["missing-key"] * 3
    assert [fault.split("'")[1] for fault in caught.value.faults] == ["channel_names", "numTraining", "file_ending"]


def test_keys_of_older_versions_beside_the_new_ones_do_no_harm(tmp_path):
    home = make_nnunet(tmp_path, {"tensorImageSize": "2D", "modality": {"0": "R"}})
    assert len(nnunet.plan(source_of(home)).cases) == 4
    content = {"modality": {"0": "R"}, "labels": {"background": 0, "a": 1}, "tensorImageSize": "2D", "numTraining": 3}
    write_json(home / "dataset.json", content)
    assert faults_of(nnunet.plan, home) == {("old-version", "dataset.json")}


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_channels_in_files_of_their_own_become_one_image(tmp_path, count, dtype):
    home, to = tmp_path / "Dataset004_Modal", tmp_path / "to"
    wanted = {}
    for name in ("a", "b", "c"):
        planes = np.random.default_rng([ord(name), count]).integers(0, np.iinfo(dtype).max, (*SMALL, count), dtype)
        wanted[name] = planes
        for channel in range(count):
            save(home / "imagesTr" / f"{name}_{channel:04d}.png", planes[:, :, channel])
        save(home / "labelsTr" / f"{name}.png", box(0, 0, 1))
    names = {str(channel): f"t{channel}" for channel in range(count)}
    labels = {"background": 0, "a": 1}
    description = {"channel_names": names, "labels": labels, "numTraining": 3, "file_ending": ".png"}
    write_json(home / "dataset.json", description)
    imported = import_dataset(nnunet.plan, home, to, "x")
    assert not imported.remarks
    for case in imported.cases:
        assert np.array_equal(read_image(case.image), wanted[case.name])
    assert imported.info.records["a"].source[:2] == ("imagesTr/a_0000.png", "imagesTr/a_0001.png")
    (home / "imagesTr" / f"b_{count - 1:04d}.png").unlink()
    assert faults_of(nnunet.plan, home) == {("channel-files", f"imagesTr/b_{count - 2:04d}.png")}


def test_files_that_do_not_fit_are_reported_together(tmp_path):
    home = make_nnunet(tmp_path)
    save(home / "imagesTr" / "a_0001.png", photograph(0))
    save(home / "imagesTr" / "e.png", photograph(0))
    save(home / "imagesTs" / "a_0000.png", photograph(0))
    save(home / "labelsTs" / "a.png", box(0, 0, 1))
    (home / "labelsTr" / "c.png").unlink()
    assert faults_of(nnunet.plan, home) == {
        ("channel-files", "imagesTr/a_0001.png"),
        ("file-name", "imagesTr/e.png"),
        ("missing-mask", "imagesTr/c_0000.png"),
        ("duplicate-file", "imagesTs/a_0000.png"),
    }


def test_a_source_without_or_with_two_data_sets_is_refused(tmp_path):
    assert faults_of(nnunet.plan, tmp_path) == {("layout", "")}
    make_nnunet(tmp_path / "a")
    make_nnunet(tmp_path / "b")
    assert faults_of(nnunet.plan, tmp_path) == {("several-data-sets", "")}


def make_ours(folder, names=HOSTILE, channels=(1, 3, 3, 1), deep=False, ignore=False, split=None):
    """A data set of ours: RGB JPEG and gray PNG, of 16 bits if `deep`."""
    for place, (name, count) in enumerate(zip(names, channels, strict=True)):
        image = photograph(place, count)
        image = image.astype(np.uint16) * np.uint16(256) + np.uint16(place) if deep and count == 1 else image
        save(folder / "images" / f"{name}{'.jpg' if count == 3 else '.png'}", image)
        mask = np.maximum(box(0, 0, 1 + place % 2), box(3, 4, 255 if ignore else 2))
        save(folder / "masks" / f"{name}.png", mask)
    about = {"name": "my organs/2024", "classes": ["outside", "liver", "spleen"], "license": "CC0"}
    write_json(folder / "dataset.json", about | ({"ignore_label": 255} if ignore else {}))
    write_json(folder / "split.json", split or {"train": names[:2], "val": names[2:3], "test": names[3:]})
    return open_dataset(folder)


def assert_same(dataset: Dataset, folder: Path, channels: int) -> None:
    source = source_of(folder)
    plan = nnunet.plan(source)
    exported = {name for side in dataset.split.to_dict().values() for name in side}
    assert {case.name for case in plan.cases} == exported
    back = {case.name: case for case in plan.cases}
    for case in dataset.cases:
        if case.name in exported:
            image = read_image(case.image)
            again = read_image(source.files[back[case.name].image])
            assert again.dtype == image.dtype
            assert np.array_equal(again, to_channels(image, channels))
            mask = read_mask(case.mask, dataset.info.classes, dataset.info.ignore_label)
            assert np.array_equal(back[case.name].read_mask(mask.shape), mask)
    assert plan.facts.classes[1:] == dataset.info.classes[1:]
    assert plan.facts.ignore_label == dataset.info.ignore_label


def test_what_is_written_follows_the_format(tmp_path):
    dataset = make_ours(tmp_path / "ours", ignore=True)
    written = write_nnunet(dataset, tmp_path / "raw", 7)
    home = tmp_path / "raw" / "Dataset007_my_organs_2024"
    assert written.folder == home
    assert str(written) == f"{home}: 3 training and 1 test image of 3 channels; repeated from gray into RGB: 2 images."
    assert {path.relative_to(home).as_posix() for path in home.rglob("*.*")} == {
        "dataset.json",
        "splits_final.json",
        *(f"imagesTr/{name}_0000.png" for name in HOSTILE[:3]),
        *(f"labelsTr/{name}.png" for name in HOSTILE[:3]),
        "imagesTs/d_0000.png",
        "labelsTs/d.png",
    }
    assert json.loads((home / "dataset.json").read_text()) == {
        "name": "my organs/2024",
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": {"background": 0, "liver": 1, "spleen": 2, "ignore": 3},
        "numTraining": 3,
        "file_ending": ".png",
        "licence": "CC0",
    }
    assert json.loads((home / "splits_final.json").read_text()) == [{"train": ["a b", "c_0000"], "val": ["ü.x"]}]
    with Image.open(home / "labelsTr" / "c_0000.png") as label:
        assert label.mode == "L"
        assert np.array_equal(label, np.maximum(box(0, 0, 2), box(3, 4, 3)))
    assert_same(dataset, home, channels=3)
    assert list((tmp_path / "raw").iterdir()) == [home], "nothing else is left there"


def test_gray_images_of_16_bits_stay_so(tmp_path):
    dataset = make_ours(tmp_path / "ours", channels=(1, 1, 1, 1), deep=True, split={"train": HOSTILE[:3]})
    written = write_nnunet(dataset, tmp_path, 999)
    assert (written.channels, written.repeated, written.test, written.left_out) == (1, 0, 0, 1)
    assert "left out, not in the split: 1 case." in str(written)
    assert not (written.folder / "imagesTs").exists()
    assert not (written.folder / "splits_final.json").exists(), "without val images nnU-Net makes its own folds"
    assert json.loads((written.folder / "dataset.json").read_text())["channel_names"] == {"0": "gray"}
    assert_same(dataset, written.folder, channels=1)


def test_a_number_is_taken_once(tmp_path):
    dataset = make_ours(tmp_path / "ours")
    (tmp_path / "Dataset012_other").mkdir()
    with pytest.raises(UsageError, check=coded("exists")):
        write_nnunet(dataset, tmp_path, 12)
    for number in (0, 1000):
        with pytest.raises(UsageError, match="Expected `number` to be between 1 and 999"):
            write_nnunet(dataset, tmp_path, number)


def test_names_that_nnunet_keeps_for_itself_are_refused(tmp_path):
    image = tmp_path / "x_seg.png"
    info = DatasetInfo("set", ("cell", "ignore", "background"))
    dataset = Dataset(tmp_path, info, (Case("x_seg", image, image),), Split(("x_seg",)))
    with pytest.raises(DataError) as caught:
        write_nnunet(dataset, tmp_path / "raw", 1)
    assert [fault.split(",")[0].split(" has")[0] for fault in caught.value.faults] == [
        "the case 'x_seg' ends in _seg",
        "the class 'ignore' (label 1)",
        "the class 'background' (label 2)",
    ]
    assert not (tmp_path / "raw").exists()


def test_faults_of_files_are_told_at_once_and_nothing_is_left(tmp_path):
    dataset = make_ours(tmp_path / "ours")
    (tmp_path / "ours/images/a b.png").write_bytes(b"")
    tifffile.imwrite(tmp_path / "ours/images/c_0000.jpg", np.zeros((*SMALL, 3), np.uint16), photometric="rgb")
    save(tmp_path / "ours/masks/d.png", box(0, 0, 9))
    with pytest.raises(DataError) as caught:
        write_nnunet(dataset, tmp_path / "raw", 1)
    for fault, fragment in zip(
        caught.value.faults,
        ("a b.png: the file is empty", "c_0000.jpg: expected 8 bits", "d.png: expected labels"),
        strict=True,
    ):
        assert fragment in fault
    assert not list((tmp_path / "raw").iterdir())


def test_deep_gray_among_colors_is_refused(tmp_path):
    dataset = make_ours(tmp_path / "ours", deep=True)
    with pytest.raises(DataError, match=r"a b.png: expected 8 bits, since nnU-Net reads PNG of 16-bit color as 8 bits"):
        write_nnunet(dataset, tmp_path / "raw", 1)


def test_more_channels_are_refused(tmp_path):
    dataset = make_ours(tmp_path / "ours", channels=(1, 1, 1, 1))
    tifffile.imwrite(
        tmp_path / "ours/images/d.png", np.zeros((*SMALL, 5), np.uint8), photometric="minisblack", planarconfig="contig"
    )
    with pytest.raises(DataError, match="expected an image of 1 or 3 channels, but found"):
        write_nnunet(dataset, tmp_path / "raw", 1)


def test_a_destination_that_cannot_be_written_is_named(tmp_path):
    dataset = make_ours(tmp_path / "ours")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, check=coded("unwritable")):
        write_nnunet(dataset, tmp_path / "file", 1)


@settings(max_examples=15, deadline=None)
@given(
    names=st.lists(
        st.text("abAB-0_. é", min_size=1, max_size=6).filter(str.strip), min_size=2, max_size=4, unique_by=str.casefold
    ),
    color=st.booleans(),
    ignore=st.booleans(),
    data=st.data(),
)
def test_a_round_trip_keeps_images_and_masks(names, color, ignore, data):
    names = ("z", *(name for name in names if not name.startswith(".")))
    sides = [data.draw(st.sampled_from(["train", "val", "test"])) for _ in names[1:]]
    split = {side: [name for name, s in zip(names[1:], sides, strict=True) if s == side] for side in ("val", "test")}
    split["train"] = [name for name in names if name not in split["val"] + split["test"]]
    channels = [data.draw(st.sampled_from([1, 3])) if color else 1 for _ in names]
    with tempfile.TemporaryDirectory() as folder:
        dataset = make_ours(Path(folder) / "ours", names, channels, ignore=ignore, split=split)
        written = write_nnunet(dataset, Path(folder), 1)
        assert written.training + written.test == len(names)
        assert_same(dataset, written.folder, channels=max(channels))
