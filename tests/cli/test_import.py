"""`tmunet import`."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet.data.dataset import open_dataset, verify
from tmunet.data.io.images import read_image
from tmunet.data.io.masks import read_mask
from tmunet.data.split.splits import fixed_splits, read_split
from tmunet.files import write_text

from ..datasets.miniatures import make_glas
from .conftest import Answer

Run = Callable[..., Answer]


def scan(path: Path, values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Six gray images with masks of 0 and 128, in folders and under names of somebody's own."""
    random = np.random.default_rng(3)
    for i in range(6):
        scan(tmp_path / "mine" / "scans" / f"p{i}.jpg", random.integers(0, 255, (20, 24)))
        mask = np.zeros((20, 24))
        mask[4 : 10 + i, 5:12] = 128
        scan(tmp_path / "mine" / "labels" / f"p{i}_seg.png", mask)
    write_text(
        tmp_path / "mine" / "patients.csv", "case,group\n" + "".join(f"p{i},patient {i // 2}\n" for i in range(6))
    )
    return tmp_path / "mine"


def import_folders(tmunet: Run, source: Path, to: Path, *more: object) -> Answer:
    patterns = ("--images", "scans/*.jpg", "--masks", "labels/{name}_seg.png")
    return tmunet("import", "folders", source, to, *patterns, *more)


def test_folders_of_ones_own_become_a_data_set_that_splits_and_trains(
    tmunet: Run, golden: Callable[..., None], mine: Path, tmp_path: Path
) -> None:
    to = tmp_path / "lesions"
    answer = import_folders(
        tmunet, mine, to, "--classes", "background, lesion", "--values", "0=background, 128=lesion",
        "--groups", mine / "patients.csv", "--license", "mine",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    golden("import", answer.out)
    assert tmunet("split", to, "--ratios", "1:1:1", "--stratify", "false").code == 0
    dataset = open_dataset(to)
    verify(dataset)
    assert dataset.info.classes == ("background", "lesion")
    assert dataset.info.information["license"] == "mine"
    assert {case.name: case.group for case in dataset.cases} == {f"p{i}": f"patient {i // 2}" for i in range(6)}
    assert sorted(map(len, dataset.split.to_dict().values())) == [2, 2, 2]
    assert (read_image(to / "images" / "p3.jpg") == read_image(mine / "scans" / "p3.jpg")).all()
    again = import_folders(tmunet, mine, to)
    assert (again.code, again.error, again.paths) == (2, "exists", (to,))


@pytest.mark.parametrize(
    ("flags", "code", "error", "found"),
    [
        ((), 3, "data", "128"),
        (("--values", "0=background,128=lesion"), 2, "value", "'128=lesion'"),
        (("--values", "0=background,0=foreground"), 2, "value", "'0=foreground'"),
        (("--threshold", "300"), 2, "value", "300"),
        (("--classes", "a,a"), 2, "value", "['a', 'a']"),
    ],
)
def test_what_does_not_fit_is_said_and_no_data_set_is_made(
    tmunet: Run, mine: Path, tmp_path: Path, flags: tuple[str, ...], code: int, error: str, found: str
) -> None:
    answer = import_folders(tmunet, mine, tmp_path / "to", *flags)
    assert (answer.code, answer.out, answer.error) == (code, "", error)
    assert found in answer.err
    assert not (tmp_path / "to" / "dataset.json").exists()


@pytest.mark.parametrize(("threshold", "empty"), [(127, False), (200, True)])
def test_an_import_of_empty_masks_alone_is_told(
    tmunet: Run, mine: Path, tmp_path: Path, threshold: int, empty: bool
) -> None:
    answer = import_folders(tmunet, mine, tmp_path / "to", "--threshold", threshold)
    assert answer.code == 0, answer.err
    for words in (answer.out, (tmp_path / "to" / "README.md").read_text()):
        assert ("All masks are empty: no pixel is of a class besides the background." in words) == empty


def test_a_failed_import_leaves_nothing_that_stops_the_corrected_command(
    tmunet: Run, mine: Path, tmp_path: Path
) -> None:
    to, flags = tmp_path / "to", ("--threshold", "100")
    good = (mine / "labels" / "p4_seg.png").read_bytes()
    (mine / "labels" / "p4_seg.png").write_bytes(good[:40])
    before = sorted(tmp_path.iterdir())
    stopped = import_folders(tmunet, mine, to, *flags)
    assert stopped.code == 3
    assert "p4" in stopped.err
    assert sorted(tmp_path.iterdir()) == before
    (mine / "labels" / "p4_seg.png").write_bytes(good)
    assert import_folders(tmunet, mine, to, "--threshold", "101").code == 0
    assert tmunet("split", to, "--ratios", "1:1:1").code == 0


def test_many_faults_of_a_kind_are_grouped_and_capped(tmunet: Run, mine: Path, tmp_path: Path) -> None:
    for i in range(20):
        scan(mine / "scans" / f"q{i}.jpg", np.zeros((4, 4)))
    answer = import_folders(tmunet, mine, tmp_path / "to")
    assert answer.code == 3
    assert "FAULT missing-mask (20)" in answer.err
    assert answer.err.count("has no mask") == 8
    assert "... and 12 more" in answer.err


def test_a_named_set_gets_its_official_split(tmunet: Run, tmp_path: Path) -> None:
    """All 44 tiles, zipped as they are distributed."""
    from tmunet.datasets.monuseg import _official_subsets

    subsets = _official_subsets()
    source, to = tmp_path / "MoNuSeg.zip", tmp_path / "nuclei"
    vertices = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in ((1, 1), (5, 1), (5, 5), (1, 5)))
    scan(tmp_path / "tile.tif", np.full((8, 8, 3), 200))
    with zipfile.ZipFile(source, "w") as archive:
        for name, subset in subsets.items():
            archive.write(tmp_path / "tile.tif", f"{subset}/{name}.tif")
            archive.writestr(f"{subset}/{name}.xml", f"<Annotation><Region>{vertices}</Region></Annotation>")
    answer = tmunet("import", "monu-seg", source, to)
    assert answer.code == 0, answer.err
    assert f"Split: {to / 'split.json'}" in answer.out
    dataset = open_dataset(to)
    names = [case.name for case in dataset.cases]
    assert len(names) == 44
    assert dataset.split == read_split(fixed_splits("MoNuSeg")["official"], names)
    assert set(dataset.split.test) == {name for name, subset in subsets.items() if subset == "test"}
    assert all(case.group == "patient " + case.name[:12] for case in dataset.cases)
    assert {path.stem for path in (to / "splits").glob("*.json")} >= set(fixed_splits("MoNuSeg"))
    assert not list(tmp_path.glob(".*"))
    entry = json.loads((to / "dataset.json").read_text("utf-8"))["cases"][names[0]]
    assert entry["source"][1].endswith(f"{names[0]}.xml")


@pytest.mark.slow
def test_a_named_set_without_official_split_gets_the_grouped_one(tmunet: Run, tmp_path: Path) -> None:
    """As many frames as the original has, zipped as it is distributed."""
    source = tmp_path / "CVC-ClinicDB.zip"
    scan(tmp_path / "mask.png", np.pad(np.full((2, 2), 255), 1))
    with zipfile.ZipFile(source, "w") as archive:
        for number in range(1, 613):
            frame = np.full((4, 4, 3), number % 251)
            scan(tmp_path / "frame.png", frame)
            archive.write(tmp_path / "frame.png", f"CVC-ClinicDB/PNG/Original/{number}.png")
            archive.write(tmp_path / "mask.png", f"CVC-ClinicDB/PNG/Ground Truth/{number}.png")
    to = tmp_path / "polyps"
    answer = tmunet("import", "cvc_clinicdb", source, to)
    assert answer.code == 0, answer.err
    assert f"Split: {to / 'split.json'}" in answer.out
    dataset = open_dataset(to)
    splits = fixed_splits("CVC-ClinicDB")
    names = [case.name for case in dataset.cases]
    assert dataset.split == read_split(splits["grouped"], names)
    assert {path.stem for path in (to / "splits").glob("*.json")} >= set(splits)
    groups = {case.name: case.group for case in dataset.cases}
    assert len(set(groups.values())) == 29
    sides = [{groups[name] for name in side} for side in dataset.split.to_dict().values()]
    assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
    assert not list(tmp_path.glob(".*"))
    entry = json.loads((to / "dataset.json").read_text("utf-8"))["cases"]["612"]
    assert entry["source"][0].endswith("Original/612.png")


def test_flags_of_folders_and_unknown_names_are_refused(tmunet: Run, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    answer = tmunet("import", "BUSI", tmp_path / "source", tmp_path / "to", "--threshold", "9")
    assert (answer.code, answer.error) == (2, "flags")
    answer = tmunet("import", "kvasir", tmp_path / "source", tmp_path / "to")
    assert (answer.code, answer.error, "Kvasir-SEG" in answer.err) == (2, "importer", True)
    answer = tmunet("import", "folders", tmp_path / "source", tmp_path / "to")
    assert (answer.code, answer.error) == (2, "missing")
    answer = tmunet("import", "BUSI", tmp_path / "source", tmp_path / "source" / "to")
    assert (answer.code, answer.error, answer.paths) == (2, "inside-source", (tmp_path / "source" / "to",))


def test_two_words_find_images_masks_and_split_by_themselves(tmunet: Run, tmp_path: Path) -> None:
    """As most people have GlaS: the masks in `labelcol`, train and test in folders, none for validation."""
    for part, numbers in (("Train", range(10)), ("Test", range(3))):
        for number in numbers:
            random = np.random.default_rng([number, len(part)])
            scan(tmp_path / "GlaS" / f"{part}_Folder" / "img" / f"{number}.png", random.integers(0, 255, (40, 40, 3)))
            mask = np.pad(np.full((9, 4 + number), 255), ((3, 28), (5, 31 - number)))
            scan(tmp_path / "GlaS" / f"{part}_Folder" / "labelcol" / f"{number}_anno.png", mask)
    to = tmp_path / "glands"
    answer = tmunet("import", tmp_path / "GlaS", to, "--classes", "background,gland")
    assert answer.code == 0, answer.err
    assert "Test_Folder/img/0.png" in answer.out
    dataset = open_dataset(to)
    verify(dataset)
    assert dataset.info.classes == ("background", "gland")
    assert len(dataset.cases) == 13
    sides = dataset.split.to_dict()
    assert set(sides["test"]) == {f"Test_Folder_{number}" for number in range(3)}
    assert {*sides["train"], *sides["val"]} == {f"Train_Folder_{number}" for number in range(10)}
    assert sides["val"]
    again = tmp_path / "again"
    flags = ("--train", "Test_Folder/img", "--val", "Train_Folder")
    assert tmunet("import", tmp_path / "GlaS", again, *flags).code == 0
    assert len(open_dataset(again).split.train) == 3
    assert len(open_dataset(again).split.val) == 10
    answer = tmunet("import", tmp_path / "GlaS", tmp_path / "x", "--train", "Train")
    assert answer.code == 2


def test_a_public_set_is_known_by_its_layout(tmunet: Run, tmp_path: Path) -> None:
    make_glas(tmp_path / "Warwick")
    answer = tmunet("import", tmp_path / "Warwick", tmp_path / "glands")
    assert answer.code == 0, answer.err
    dataset = open_dataset(tmp_path / "glands")
    assert dataset.info.name == "GlaS"
    assert {case.name: case.group for case in dataset.cases}["testA_1"] == "patient 4"


def test_values_may_be_ranges_and_objects_may_be_numbered(tmunet: Run, tmp_path: Path) -> None:
    objects = np.zeros((30, 40), np.uint16)
    objects[2:9, 3:9], objects[12:20, 3:9], objects[22:29, 20:33] = 1, 2, 300
    for number in range(3):
        scan(tmp_path / "in" / "images" / f"{number}.png", np.random.default_rng(number).integers(0, 255, (30, 40)))
        (tmp_path / "in" / "masks").mkdir(exist_ok=True)
        Image.fromarray(objects).save(tmp_path / "in" / "masks" / f"{number}.png")
    answer = tmunet("import", tmp_path / "in", tmp_path / "refused")
    assert answer.code == 3
    assert answer.err.count("--foreground any") == 1
    assert "--threshold 127" not in answer.err
    for name, flags in (("any", ("--foreground", "any")), ("range", ("--values", "0=background,1-400=foreground"))):
        answer = tmunet("import", tmp_path / "in", tmp_path / name, *flags)
        assert answer.code == 0, answer.err
        mask = read_mask(tmp_path / name / "masks" / "0.png", ("background", "foreground"))
        assert np.array_equal(mask, objects > 0)
    for flags in (("--values", "0=background,5-1=foreground"), ("--values", "0-9=background,9=foreground")):
        assert tmunet("import", tmp_path / "in", tmp_path / "x", *flags).code == 2
    assert tmunet("import", tmp_path / "in", tmp_path / "x", "--foreground", "any", "--threshold", "9").code == 2


def test_a_forgotten_destination_is_told(tmunet: Run, tmp_path: Path) -> None:
    answer = tmunet("import", "BUSI", tmp_path)
    assert answer.code == 2
    assert "import BUSI" in answer.err


def test_annotations_of_qupath_become_the_mask_of_their_image(tmunet: Run, tmp_path: Path) -> None:
    scan(tmp_path / "images" / "a.png", np.zeros((12, 16)))
    ring = [[2, 3], [6, 3], [6, 8], [2, 8], [2, 3]]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"objectType": "annotation", "classification": {"name": "polyp"}},
    }
    write_text(tmp_path / "a.geojson", json.dumps({"type": "FeatureCollection", "features": [feature]}))
    arguments = ("import", "qupath", tmp_path / "a.geojson", tmp_path / "images" / "a.png")
    assert tmunet(*arguments).code == 0
    expected = np.zeros((12, 16), np.uint8)
    expected[3:8, 2:6] = 1
    np.testing.assert_array_equal(read_mask(tmp_path / "masks" / "a.png", ("background", "polyp")), expected)
    assert tmunet(*arguments).code == 3  # the mask is there already
    assert tmunet(*arguments, "--masks", tmp_path / "b.png", "--classes", "background,polyp").code == 0
    assert tmunet(*arguments, "--masks", tmp_path / "c.png", "--classes", "background,x").code == 3
    assert tmunet(*arguments, "--title", "x").code == 2
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["b.png"]
