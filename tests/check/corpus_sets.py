"""Defects of a whole data set; each needs one of its own."""

import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import tifffile

from tmunet.files import write_json

from .corpus import CONTROL, SHAPE, Defect, Folder, catalogue, disc

DEFECTS: list[Defect] = []
defect = catalogue(DEFECTS)


def describe(folder: Folder, **content: Any) -> None:
    write_json(folder.path / "dataset.json", content)


def split(folder: Folder, train: Sequence[str], test: Sequence[str] = (), val: Sequence[str] = ()) -> None:
    write_json(folder.path / "split.json", {"train": train, "val": val, "test": test})


@defect(missing_folder="masks")
def no_masks_folder(folder: Folder) -> None:
    shutil.rmtree(folder.path / "masks")


@defect(no_images="images", missing_image=tuple(f"masks/{name}.png" for name in CONTROL), skipped="images/scan.mha")
def only_unknown_suffixes(folder: Folder) -> None:
    for path in (folder.path / "images").iterdir():
        path.unlink()
    (folder.path / "images/scan.mha").write_bytes(b"x")


@defect(dataset_json="dataset.json")
def description_is_no_json(folder: Folder) -> None:
    (folder.path / "dataset.json").write_text("{'name': 'x'}")
    folder.case("third", mask=disc() * 2)  # not judged: the classes are not known


@defect(dataset_json="dataset.json")
def description_with_faults(folder: Folder) -> None:
    describe(folder, clases=["a", "b"], name="", cases={"control0": 3})


@defect(record_without_case="dataset.json", changed_file=("images/control0.png", "masks/control0.png"))
def records_that_are_not_true(folder: Folder) -> None:
    old = {"image_sha256": "0" * 64, "mask_sha256": "1" * 64}
    describe(folder, cases={"control0": old, "gone": {"group": "patient 3"}})


@defect(spacing_without_case="dataset.json")
def spacing_of_no_case(folder: Folder) -> None:
    describe(folder, spacing_mm={"control0": [0.5, 0.5], "Control1": [0.5, 0.5]})


@defect(contradicting_spacing="images/third.tif")
def spacing_that_the_file_contradicts(folder: Folder) -> None:
    tifffile.imwrite(
        folder.path / "images/third.tif",
        folder.noise(),
        photometric="rgb",
        resolution=(40, 20),
        resolutionunit="CENTIMETER",
    )
    folder.mask("third.png")
    describe(folder, spacing_mm={"third": [0.25, 0.5]})


@defect(unused_class="")
def class_that_never_occurs(folder: Folder) -> None:
    describe(folder, classes=["background", "liver", "spleen"])
    for name in CONTROL:
        folder.mask(f"{name}.png", disc())


def spleen_on(folder: Folder, *names: str) -> None:
    describe(folder, classes=["background", "liver", "spleen"])
    for name in CONTROL:
        mask = disc()
        mask[:4] = 2 if name in names else 0
        folder.mask(f"{name}.png", mask)


@defect(class_not_on_side="split.json")
def class_absent_from_train(folder: Folder) -> None:
    spleen_on(folder, CONTROL[2], CONTROL[3])
    split(folder, CONTROL[:2], CONTROL[2:3], CONTROL[3:])


@defect(class_not_on_side="split.json")
def class_absent_from_valid(folder: Folder) -> None:
    spleen_on(folder, CONTROL[0], CONTROL[2])
    split(folder, CONTROL[:2], CONTROL[2:3], CONTROL[3:])


@defect(empty_mask=tuple(f"masks/{name}.png" for name in CONTROL[2:]), class_not_on_side="split.json")
def only_class_absent_from_test(folder: Folder) -> None:
    for name in CONTROL[2:]:
        folder.mask(f"{name}.png", disc() * 0)
    split(folder, CONTROL[:2], CONTROL[2:])


@defect(mask_values="masks/control3.png")
def class_on_no_mask_that_could_be_read(folder: Folder) -> None:
    spleen_on(folder, CONTROL[0])
    folder.mask(f"{CONTROL[3]}.png", disc() * 7)
    split(folder, CONTROL[:1], CONTROL[1:])  # whether the test has a spleen shows when its mask is mended


@defect(mask_values="masks/control0.png", all_ignored="masks/control1.png")
def labels_that_are_not_declared(folder: Folder) -> None:
    describe(folder, classes=["background", "liver", "spleen"], ignore_label=255)
    for name, value in zip(CONTROL, (7, 255, 1, 2), strict=True):
        folder.mask(f"{name}.png", disc() * value)
    folder.mask(f"{CONTROL[1]}.png", disc() * 0 + 255)


@defect(mixed_channels="images/control0.tif")
def other_channels(folder: Folder) -> None:
    (folder.path / "images/control0.png").unlink()
    tifffile.imwrite(
        folder.path / "images/control0.tif", folder.noise(*SHAPE, 5), photometric="minisblack", planarconfig="contig"
    )


@defect(split_file="split.json")
def split_is_no_json(folder: Folder) -> None:
    (folder.path / "split.json").write_text("train: all")


@defect(split_file="split.json")
def split_of_other_names(folder: Folder) -> None:
    split(folder, [*CONTROL[:3], "controll3"])


@defect(split_file="split.json")
def split_with_a_case_on_two_sides(folder: Folder) -> None:
    split(folder, CONTROL, CONTROL[:1])


@defect(split_file="split.json")
def split_with_a_case_twice(folder: Folder) -> None:
    split(folder, [*CONTROL, CONTROL[0]])


@defect(split_file="split.json")
def split_without_cases(folder: Folder) -> None:
    split(folder, [], [])


@defect(not_in_split="split.json")
def split_that_leaves_one_out(folder: Folder) -> None:
    split(folder, CONTROL[:2], CONTROL[2:3])


@defect(leak="split.json")
def split_through_a_group(folder: Folder) -> None:
    describe(folder, cases={CONTROL[0]: {"group": "video 1"}, CONTROL[3]: {"group": "video 1"}})
    split(folder, CONTROL[:2], CONTROL[2:])


@defect(leak="split.json", near_duplicate=("images/frame1.png", "images/frame2.png"))
def split_through_a_scene(folder: Folder) -> None:
    frame = folder.noise()
    folder.case("frame1", frame)
    folder.case("frame2", np.where(frame > 250, 245, frame).astype(np.uint8))
    split(folder, [*CONTROL[:2], "frame1"], ["frame2"], CONTROL[2:])


@defect(leak="split.json", duplicate_across_sides="split.json", duplicate=("images/again1.png", "images/again2.png"))
def split_through_duplicates(folder: Folder) -> None:
    again = folder.noise()
    folder.case("again1", again)
    folder.case("again2", again)
    split(folder, [*CONTROL, "again1"], ["again2"])
