"""`fix`: the copy is sound where it can be, nothing is lost, and the data set is as it was."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tmunet.check.fix import Fixed, fix
from tmunet.check.run import check_dataset
from tmunet.data.dataset import open_dataset, verify
from tmunet.data.io.images import decode_image, read_image
from tmunet.errors import InputError, UsageError
from tmunet.files import sha256, write_json

from . import corpus_files
from .corpus import CONTROL, SHAPE, Folder, disc


def fixed(folder: Folder) -> Fixed:
    before = contents(folder.path)
    result = fix(check_dataset(folder.path), folder.path.parent / "copy")
    assert contents(folder.path) == before
    assert sorted(p.name for p in folder.path.parent.iterdir()) == ["copy", "set"]
    return result


def contents(folder: Path) -> dict[str, str]:
    """Hash of every file by its path; a link by where it leads."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


def tag(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_a_sound_data_set_is_copied_as_it_is(folder: Folder) -> None:
    (folder.path / "README.md").write_text("About discs.")
    (folder.path / "splits").mkdir()
    (folder.path / "splits" / "fold-1.json").write_text("{}")
    result = fixed(folder)
    copied = contents(result.destination)
    assert "Nothing." in (result.destination / "FIXED.md").read_text()
    assert copied.pop("FIXED.md")
    assert copied == contents(folder.path)
    assert (result.changes, result.left.findings, result.left.folder) == ((), (), result.destination)
    assert result.destination.stat().st_mode == folder.path.stat().st_mode


def test_files_get_the_suffix_of_their_content(folder: Folder) -> None:
    bytes_before = folder.image("a.png", format="JPEG").read_bytes()
    folder.mask("a.png")
    result = fixed(folder)
    assert (result.destination / "images" / "a.jpg").read_bytes() == bytes_before
    assert not (result.destination / "images" / "a.png").exists()
    assert result.left.findings == ()


@pytest.mark.parametrize(
    ("shape", "dtype", "suffix"),
    [
        ((*SHAPE, 3), np.uint8, ".png"),
        (SHAPE, np.uint16, ".png"),
        ((*SHAPE, 3), np.uint16, ".tif"),
        ((*SHAPE, 5), np.uint8, ".tif"),
    ],
)
def test_images_are_written_upright_without_loss(
    folder: Folder, shape: tuple[int, ...], dtype: type, suffix: str
) -> None:
    values = folder.noise(*shape, high=np.iinfo(dtype).max, dtype=dtype)
    path = folder.path / "images" / "a.tiff"
    orientation = (274, "H", 1, 6, True)
    tifffile.imwrite(
        path,
        values,
        photometric="rgb" if shape[2:] == (3,) else "minisblack",
        planarconfig="contig" if len(shape) > 2 else None,
        extratags=[orientation],
    )
    folder.mask("a.png", disc(SHAPE[::-1]))
    result = fixed(folder)
    written = result.destination / "images" / f"a{suffix}"
    np.testing.assert_array_equal(read_image(written), read_image(path))
    assert decode_image(written).orientation == 1
    assert not {finding.kind for finding in result.left.findings} & {"orientation", "size-mismatch"}


def test_masks_are_written_upright_with_their_labels_and_colors(folder: Folder) -> None:
    write_json(folder.path / "dataset.json", {"classes": ["background", "liver", "spleen"]})
    for name in CONTROL:
        folder.mask(f"{name}.png", disc())
    labels = disc()
    labels[2:9, 3:9] = 2
    picture = Image.fromarray(labels)
    picture.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    picture.save(folder.path / "masks" / "a.png", exif=tag(3))
    folder.image("a.png")
    result = fixed(folder)
    decoded = decode_image(result.destination / "masks" / "a.png")
    np.testing.assert_array_equal(decoded.pixels[:, :, 0], labels[::-1, ::-1])
    assert decoded.palette is not None
    np.testing.assert_array_equal(decoded.palette[2], (0, 200, 0))
    assert result.left.findings == ()


def test_masks_of_one_reading_get_0_and_255(folder: Folder) -> None:
    folder.image("halo.png")
    folder.mask("halo.jpg", quality=95, exif=tag(2))
    folder.case("gray", mask=disc() * 128)
    result = fixed(folder)
    for name, expected in (("halo", disc()[:, ::-1]), ("gray", disc())):
        mask = decode_image(result.destination / "masks" / f"{name}.png").pixels[:, :, 0]
        np.testing.assert_array_equal(mask, expected * 255)
    assert not (result.destination / "masks" / "halo.jpg").exists()
    assert "(orientation 2); the file is now halo.png\n" in (result.destination / "FIXED.md").read_text()
    assert result.left.findings == ()


def test_a_tagged_mask_of_colors_is_left(folder: Folder) -> None:
    folder.image("a.png")
    before = folder.mask("a.png", folder.noise(), exif=tag(3)).read_bytes()
    result = fixed(folder)
    assert (result.destination / "masks" / "a.png").read_bytes() == before
    assert {finding.kind for finding in result.left.findings} == {"mask-colors", "orientation"}


def test_what_cannot_be_used_is_set_aside_with_its_partner(folder: Folder) -> None:
    folder.image("lonely.png")
    folder.case("cut")
    (folder.path / "masks" / "cut.png").write_bytes(b"")
    folder.case("twin")
    (folder.path / "images" / "twin.bmp").write_bytes(b"")  # the other image of this name is sound
    write_json(folder.path / "split.json", {"train": [*CONTROL, "cut"], "test": ["lonely", "twin"]})
    records = {name: {"image_sha256": sha256(folder.path / "images" / f"{name}.png")} for name in ("cut", "twin")}
    write_json(folder.path / "dataset.json", {"license": "CC0", "cases": records})
    result = fixed(folder)
    aside = {name for name in contents(result.destination) if name.startswith("set_aside/")}
    assert aside == {
        *("set_aside/images", "set_aside/masks", "set_aside/dataset.json", "set_aside/split.json"),
        *("set_aside/images/lonely.png", "set_aside/images/cut.png", "set_aside/masks/cut.png"),
        "set_aside/images/twin.bmp",
    }
    assert result.left.findings == ()
    assert result.left.split is not None
    assert result.left.split.to_dict() == {"train": list(CONTROL), "val": [], "test": ["twin"]}
    described = json.loads((result.destination / "dataset.json").read_text())
    assert described == {"license": "CC0", "cases": {"twin": records["twin"]}}


def test_hashes_of_rewritten_files_are_renewed(folder: Folder) -> None:
    path = folder.image("a.jpg", exif=tag(3))
    folder.mask("a.png")
    recorded = {"group": "patient 1", "image_sha256": sha256(path)}
    write_json(folder.path / "dataset.json", {"cases": {"a": recorded}})
    result = fixed(folder)
    assert result.left.findings == ()
    record = json.loads((result.destination / "dataset.json").read_text())["cases"]["a"]
    assert record == {**recorded, "image_sha256": sha256(result.destination / "images" / "a.png")}


def test_damaged_tables_are_copied_and_left(folder: Folder) -> None:
    for name in ("dataset.json", "split.json"):
        (folder.path / name).write_text("damaged")
    folder.image("lonely.png")
    result = fixed(folder)
    assert {finding.kind for finding in result.left.findings} == {"dataset-json", "split-file"}


def test_a_split_that_would_lose_all_its_training_is_left(folder: Folder) -> None:
    folder.image("lonely.png")
    write_json(folder.path / "split.json", {"train": ["lonely"], "test": [CONTROL[0]]})
    assert {finding.kind for finding in fixed(folder).left.findings} == {"split-file"}


def test_a_copy_can_be_fixed_again(folder: Folder) -> None:
    folder.image("lonely.png")
    once = fixed(folder)
    (once.destination / "images" / "control0.png").unlink()
    again = fix(check_dataset(once.destination), once.destination.parent / "again")
    assert (again.destination / "set_aside" / "images" / "lonely.png").is_file()
    assert (again.destination / "set_aside_2" / "masks" / "control0.png").is_file()
    assert (again.destination / "set_aside_2" / "FIXED.md").read_text() == (once.destination / "FIXED.md").read_text()
    assert again.left.findings == ()


@pytest.mark.skipif(sys.platform != "linux", reason="seeds names that other systems cannot hold")
def test_of_all_defects_no_fixable_one_is_left(folder: Folder) -> None:
    for defect in corpus_files.DEFECTS:
        defect.seed(folder)
    (folder.path / "images/pipe.png").unlink()  # the one entry that has no content to keep
    before = contents(folder.path)
    result = fixed(folder)
    assert [finding for finding in result.left.findings if finding.fixable] == []
    assert not any(finding.kind in ("unreadable", "missing-mask", "orientation") for finding in result.left.findings)
    kept = set(contents(result.destination).values())
    changed = {change.file for change in result.changes}
    assert {name for name, digest in before.items() if digest not in kept} <= changed


def test_what_is_left_can_be_trained_on_when_all_faults_were_fixable(folder: Folder) -> None:
    for defect in corpus_files.DEFECTS:
        if defect.name in ("image_without_mask", "truncated_files", "wrong_suffixes", "no_images", "empty_file"):
            defect.seed(folder)
    result = fixed(folder)
    verify(open_dataset(result.destination))
    assert result.left.findings == ()


def test_the_destination_is_new_and_outside(folder: Folder, tmp_path: Path) -> None:
    report = check_dataset(folder.path)
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="there"):
        fix(report, tmp_path / "there")
    with pytest.raises(UsageError, match="copy"):
        fix(report, folder.path / "copy")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="copy"):
        fix(report, tmp_path / "file" / "copy")


@pytest.mark.skipif(sys.platform != "linux", reason="a pipe is made")
def test_what_has_no_content_is_said(folder: Folder) -> None:
    import os

    os.mkfifo(folder.path / "images" / "pipe.png")
    folder.mask("pipe.png")
    said = [change.what for change in fix(check_dataset(folder.path), folder.path.parent / "copy").changes]
    assert "was not copied, since it is no file" in said


def test_a_copy_without_any_case_is_not_written(folder: Folder) -> None:
    home = folder.path.parent
    for path in (folder.path / "masks").iterdir():
        path.write_bytes(b"no mask")
    with pytest.raises(InputError) as caught:
        fix(check_dataset(folder.path), home / "copy")
    assert caught.value.code == "nothing-left"
    assert caught.value.path == folder.path
    assert sorted(path.name for path in home.iterdir()) == ["set"]
