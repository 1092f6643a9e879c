"""Layouts of real public sets and of people's own folders: names only, with tiny files."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from tmunet.datasets._build.faults import DatasetImportError
from tmunet.datasets.folders import FolderOptions, plan

from .miniatures import SMALL, box, photograph, save, source_of


@dataclass(frozen=True)
class Layout:
    """Images with their masks, the subset and the group of each, and files beside them that are no cases."""

    pairs: dict[str, tuple[str, ...] | str]
    subsets: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()


LAYOUTS = {
    "Kvasir-SEG": Layout(
        {f"Kvasir-SEG/images/{name}.jpg": f"Kvasir-SEG/masks/{name}.jpg" for name in ("cju0qk", "cju1b7")},
        beside=("Kvasir-SEG/kavsir_bboxes.json",),
        cases=("cju0qk", "cju1b7"),
    ),
    "CVC-ClinicDB": Layout({f"Original/{n}.tif": f"Ground Truth/{n}.tif" for n in (1, 2, 10)}, cases=("1", "2", "10")),
    "CVC-300 and ETIS of PraNet": Layout(
        {
            **{f"TrainDataset/image/{n}.png": f"TrainDataset/mask/{n}.png" for n in (1, 2)},
            **{
                f"TestDataset/{one}/images/{n}.png": f"TestDataset/{one}/masks/{n}.png"
                for one in ("CVC-300", "ETIS")
                for n in (1, 3)
            },
        },
        subsets={"TrainDataset": "train", "TestDataset": "test"},
    ),
    "DRIVE": Layout(
        {
            **{
                f"DRIVE/training/images/{n}_training.tif": f"DRIVE/training/1st_manual/{n}_manual1.gif"
                for n in (21, 22)
            },
            **{f"DRIVE/test/images/{n}_test.tif": f"DRIVE/test/1st_manual/{n}_manual1.gif" for n in ("01", "02")},
        },
        subsets={"DRIVE/training": "train", "DRIVE/test": "test"},
        beside=(
            *(f"DRIVE/training/mask/{n}_training_mask.gif" for n in (21, 22)),
            *(f"DRIVE/test/mask/{n}_test_mask.gif" for n in ("01", "02")),
            *(f"DRIVE/test/2nd_manual/{n}_manual2.gif" for n in ("01", "02")),
        ),
    ),
    "CHASE_DB1": Layout(
        {f"Image_{n}.jpg": f"Image_{n}_1stHO.png" for n in ("01L", "01R", "02L")},
        beside=tuple(f"Image_{n}_2ndHO.png" for n in ("01L", "01R", "02L")),
        cases=("Image_01L", "Image_01R", "Image_02L"),
    ),
    "HRF": Layout(
        {f"images/{n}.JPG": f"manual1/{n}.tif" for n in ("01_dr", "01_g", "01_h")},
        beside=tuple(f"mask/{n}_mask.tif" for n in ("01_dr", "01_g", "01_h")),
    ),
    "ISIC 2016": Layout(
        {
            f"ISBI2016_ISIC_Part1_{part}_Data/{n}.jpg": f"ISBI2016_ISIC_Part1_{part}_GroundTruth/{n}_Segmentation.png"
            for part, n in (("Training", "ISIC_0000000"), ("Training", "ISIC_0000001"), ("Test", "ISIC_0000003"))
        },
        subsets={"ISBI2016_ISIC_Part1_Training": "train", "ISBI2016_ISIC_Part1_Test": "test"},
    ),
    "ISIC 2017": Layout(
        {
            f"ISIC-2017_{part}_Data/ISIC_{n:07d}.jpg": f"ISIC-2017_{part}_Part1_GroundTruth/ISIC_{n:07d}_segmentation.png"
            for part, n in (("Training", 0), ("Validation", 1), ("Test_v2", 3))
        },
        subsets={"ISIC-2017_Training": "train", "ISIC-2017_Validation": "val", "ISIC-2017_Test": "test"},
        beside=("ISIC-2017_Training_Data/ISIC_0000000_superpixels.png",),
    ),
    "GlaS of U-Net forks": Layout(
        {
            f"{part}_Folder/img/{n}.png": f"{part}_Folder/labelcol/{n}.png"
            for part, n in (("Train", "train_1"), ("Train", "train_2"), ("Val", "train_3"), ("Test", "testA_1"))
        },
        subsets={"Train_Folder": "train", "Val_Folder": "val", "Test_Folder": "test"},
        cases=("testA_1", "train_1", "train_2", "train_3"),
    ),
    "GlaS of U-Net forks, with _anno": Layout(
        {
            f"{part}_Folder/img/{n}.png": f"{part}_Folder/labelcol/{n}_anno.png"
            for part, n in (("Train", "1"), ("Train", "2"), ("Test", "1"))
        },
        subsets={"Train_Folder": "train", "Test_Folder": "test"},
        cases=("Test_Folder_1", "Train_Folder_1", "Train_Folder_2"),
    ),
    "BUSI": Layout(
        {
            "Dataset_BUSI_with_GT/benign/benign (1).png": "Dataset_BUSI_with_GT/benign/benign (1)_mask.png",
            "Dataset_BUSI_with_GT/benign/benign (100).png": (
                "Dataset_BUSI_with_GT/benign/benign (100)_mask.png",
                "Dataset_BUSI_with_GT/benign/benign (100)_mask_1.png",
            ),
            "Dataset_BUSI_with_GT/normal/normal (1).png": "Dataset_BUSI_with_GT/normal/normal (1)_mask.png",
        }
    ),
    "MoNuSeg of Kaggle": Layout(
        {
            f"kmms_{part}/kmms_{part}/images/{n}.tif": f"kmms_{part}/kmms_{part}/masks/{n}.png"
            for part, n in (
                ("training", "TCGA-18-5592-01Z-00-DX1"),
                ("training", "TCGA-A7-A13E-01Z-00-DX1"),
                ("test", "TCGA-2Z-A9J9-01A-01-TS1"),
            )
        },
        subsets={"kmms_training": "train", "kmms_test": "test"},
    ),
    "UDIAT": Layout({f"original/{n:06d}.png": f"GT/{n:06d}.png" for n in (1, 2)}),
    "DSB2018": Layout(
        {
            "stage1_train/0a7e/images/0a7e.png": (
                "stage1_train/0a7e/masks/07a9.png",
                "stage1_train/0a7e/masks/b0c1.png",
            ),
            "stage1_train/1b44/images/1b44.png": ("stage1_train/1b44/masks/e4f2.png",),
            "stage1_train/2c55/images/2c55.png": ("stage1_train/2c55/masks/0a11.png",),
        },
        beside=("stage1_test/3d66/images/3d66.png",),
        cases=("0a7e", "1b44", "2c55"),
    ),
    "TNBC": Layout(
        {f"Slide_{s}/{s}_{n}.png": f"GT_{s}/{s}_{n}.png" for s in ("01", "02") for n in (1, 2)},
        groups={"Slide_01": "Slide_01", "Slide_02": "Slide_02"},
    ),
    "PH2": Layout(
        {
            f"PH2 Dataset images/{n}/{n}_Dermoscopic_Image/{n}.bmp": f"PH2 Dataset images/{n}/{n}_lesion/{n}_lesion.bmp"
            for n in ("IMD002", "IMD003")
        },
        beside=("PH2 Dataset images/IMD002/IMD002_roi/IMD002_R1_Label2.bmp",),
    ),
    "Montgomery X-rays": Layout(
        {
            f"CXR_png/MCUCXR_{n}_0.png": (
                f"ManualMask/leftMask/MCUCXR_{n}_0.png",
                f"ManualMask/rightMask/MCUCXR_{n}_0.png",
            )
            for n in ("0001", "0002")
        }
    ),
    "Shenzhen X-rays": Layout({f"CXR_png/CHNCXR_{n}_0.png": f"masks/CHNCXR_{n}_0_mask.png" for n in ("0001", "0002")}),
    "JSRT, one organ": Layout({f"images/JPCLN00{n}.png": f"masks/lungs/JPCLN00{n}.gif" for n in (1, 2)}),
    "REFUGE": Layout(
        {
            "Training400/Glaucoma/g0001.jpg": "Annotation-Training400/Disc_Cup_Masks/Glaucoma/g0001.bmp",
            "Training400/Non-Glaucoma/n0001.jpg": "Annotation-Training400/Disc_Cup_Masks/Non-Glaucoma/n0001.bmp",
            "REFUGE-Validation400/V0001.jpg": "REFUGE-Validation400-GT/Disc_Cup_Masks/V0001.bmp",
        },
        subsets={"Training400": "train", "REFUGE-Validation400": "val"},
    ),
    "LGG of Kaggle": Layout(
        {
            f"kaggle_3m/{p}/{p}_{n}.tif": f"kaggle_3m/{p}/{p}_{n}_mask.tif"
            for p in ("TCGA_CS_4941_1996", "TCGA_DU_5849_1995")
            for n in (1, 2)
        }
    ),
    "PolypGen": Layout(
        {
            f"data_C{c}/images_C{c}/{n}.jpg": f"data_C{c}/masks_C{c}/{n}_mask.jpg"
            for c in (1, 2)
            for n in (f"{c}0H", f"{c}1H")
        }
    ),
    "one name for image and mask": Layout(
        {f"x/images/Test_Image_{n}.png": f"x/masks/mask_{n}.png" for n in (7, 8, 11)},
        cases=("Test_Image_7", "Test_Image_8", "Test_Image_11"),
    ),
    "a folder a patient, one image each": Layout(
        {f"data/patient{n}/image.png": f"data/patient{n}/mask.png" for n in ("01", "02", "10")},
        cases=("patient01", "patient02", "patient10"),
    ),
    "a folder a patient, several images": Layout(
        {f"patient{p}/images/{n}.png": f"patient{p}/masks/{n}.png" for p in (1, 2) for n in (1, 2, 3)},
        groups={"patient1": "patient1", "patient2": "patient2"},
        cases=("patient1_1", "patient1_2", "patient1_3", "patient2_1", "patient2_2", "patient2_3"),
    ),
    "subsets inside of images and masks": Layout(
        {f"images/{s}/{n}.png": f"masks/{s}/{n}.png" for s, n in (("train", 1), ("train", 2), ("val", 3), ("test", 1))},
        subsets={"images/train": "train", "images/val": "val", "images/test": "test"},
        cases=("test_1", "train_1", "train_2", "val_3"),
    ),
    "subsets in the names of folders": Layout(
        {f"{s}_images/{n}.jpg": f"{s}_masks/{n}.png" for s, n in (("train", 1), ("train", 2), ("test", 1))},
        subsets={"train_images": "train", "test_images": "test"},
    ),
    "one folder of both": Layout({f"{n}.png": f"{n}_mask.png" for n in ("a", "b", "c_2")}, cases=("a", "b", "c_2")),
    "one folder of both, named images": Layout({f"images/{n}.png": f"images/{n}_seg.png" for n in ("a", "b")}),
    "JPEG with a PNG of the same name": Layout({f"set/{n}.jpg": f"set/{n}.png" for n in ("a", "b")}),
    "two folders that say nothing": Layout({f"A/{n}.png": f"B/{n}.png" for n in (1, 2)}),
    "names with words for masks in both": Layout({f"images/lesion_{n}.jpg": f"masks/lesion_{n}.png" for n in (1, 2)}),
}


def write(folder: Path, name: str, mask: bool) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    values = box(1, 1) if mask else photograph(len(name))
    if path.suffix == ".json":
        path.write_text("{}")
    elif path.suffix == ".JPG":
        Image.fromarray(values).save(path, "JPEG")
    else:
        save(path, values)


def make(folder: Path, layout: Layout) -> None:
    for image, masks in layout.pairs.items():
        write(folder, image, False)
        for mask in (masks,) if isinstance(masks, str) else masks:
            write(folder, mask, True)
    for name in layout.beside:
        write(folder, name, True)


def starts(path: str, places: dict[str, str]) -> str | None:
    return next((found for start, found in places.items() if path.startswith(start)), None)


@pytest.mark.parametrize("name", LAYOUTS)
def test_images_and_masks_are_found(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    make(tmp_path, layout)
    made = plan(source_of(tmp_path), FolderOptions(None, None, "set"))
    wanted = {image: (masks,) if isinstance(masks, str) else masks for image, masks in layout.pairs.items()}
    assert {str(case.image): tuple(map(str, case.masks)) for case in made.cases} == wanted
    if layout.cases:
        assert tuple(case.name for case in made.cases) == layout.cases
    of_subset = {name: subset for subset, names in made.official.items() for name in names}
    assert {str(c.image): of_subset.get(c.name) for c in made.cases} == {i: starts(i, layout.subsets) for i in wanted}
    assert {str(c.image): c.group for c in made.cases} == {i: starts(i, layout.groups) for i in wanted}
    assert str(len(wanted)) in made.remarks[0]
    if name not in ("Kvasir-SEG", "PolypGen"):  # their masks are JPEG, and need a threshold
        assert all(np.array_equal(case.read_mask(SMALL), box(1, 1, 1)) for case in made.cases)


def ambiguity(folder: Path) -> list[tuple[str, str]]:
    """The readings of an ambiguous folder, each tried."""
    with pytest.raises(DatasetImportError) as caught:
        plan(source_of(folder), FolderOptions(None, None, "set"))
    (fault,) = caught.value.faults
    assert fault.kind == "ambiguous-layout"
    words = fault.message.split("'")
    found = [(words[place], words[place + 2]) for place in range(1, len(words) - 2, 4)]
    for images, masks in found:
        assert plan(source_of(folder), FolderOptions(images, masks, "set")).cases
    return found


@pytest.mark.parametrize(
    ("files", "readings"),
    [
        (
            {"A/1.png": True, "A/2.png": True, "B/1.png": True, "B/2.png": True},
            [("A/{name}.png", "B/{name}.png"), ("B/{name}.png", "A/{name}.png")],
        ),
        (
            {"images/1.png": False, "labels/1.png": True, "gt/1.png": True},
            [("images/{name}.png", "gt/{name}.png"), ("images/{name}.png", "labels/{name}.png")],
        ),
        (
            {"images/1.png": False, "masks/heart/1.png": True, "masks/lung/1.png": True},
            [("images/{name}.png", "masks/heart/{name}.png"), ("images/{name}.png", "masks/lung/{name}.png")],
        ),
        (
            {"images/1.png": False, "masks/1.png": True, "masks/1.tif": True},
            [("images/{name}.png", "masks/{name}.png"), ("images/{name}.png", "masks/{name}.tif")],
        ),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_both(
    tmp_path: Path, files: dict[str, bool], readings: list[tuple[str, str]]
) -> None:
    for name, mask in files.items():
        write(tmp_path, name, mask)
    assert sorted(ambiguity(tmp_path)) == readings


def faults(folder: Path) -> set[tuple[str, str]]:
    with pytest.raises(DatasetImportError) as caught:
        plan(source_of(folder), FolderOptions(None, None, "set"))
    return {(fault.kind, fault.path) for fault in caught.value.faults}


def test_files_without_partner_are_told(tmp_path: Path) -> None:
    for name in ("images/1.png", "images/2.png", "masks/1.png", "masks/3.png"):
        write(tmp_path, name, name.startswith("masks"))
    assert faults(tmp_path) == {("missing-mask", "images/2.png"), ("missing-image", "masks/3.png")}


def test_images_alone_are_no_data_set(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        write(tmp_path, name, False)
    assert faults(tmp_path) == {("unknown-layout", "")}
    assert faults(tmp_path / "nothing") == {("unknown-layout", "")}


def test_names_that_differ_in_their_unicode_form_are_one(tmp_path: Path) -> None:
    write(tmp_path, "images/K\u00e4se.png", False)  # one letter
    write(tmp_path, "masks/Ka\u0308se.png", True)  # a letter and a mark, as macOS writes it
    (case,) = plan(source_of(tmp_path), FolderOptions(None, None, "set")).cases
    assert case.masks == (PurePosixPath("masks/Ka\u0308se.png"),)
    (case,) = plan(source_of(tmp_path), FolderOptions("images/*.png", "masks/{name}.png", "set")).cases
    assert case.masks == (PurePosixPath("masks/Ka\u0308se.png"),)
