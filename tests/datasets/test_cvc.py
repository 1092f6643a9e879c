from collections import Counter
from pathlib import PurePosixPath

import numpy as np
import pytest
import tifffile
from PIL import Image, UnidentifiedImageError

from tmunet.data.io.images import read_image
from tmunet.datasets import cvc_clinicdb, cvc_colondb
from tmunet.datasets._build.cvc_frames import read_frames
from tmunet.datasets._build.faults import ConversionError

from .miniatures import (
    SIZE,
    clinicdb,
    clinicdb_png,
    colondb,
    faults_of,
    polyp,
    random_image,
    source_of,
    write_image,
    write_odd_tiff,
)


def test_the_table_of_clinicdb_has_612_frames_of_29_sequences():
    frames = read_frames("CVC-ClinicDB")
    assert list(frames) == [f"{number:03d}" for number in range(1, 613)]
    assert {frame.group for frame in frames.values()} == {f"sequence {number}" for number in range(1, 30)}
    assert all(frame.copy_of is None for frame in frames.values())


def test_the_table_of_colondb_has_380_frames_of_15_sequences_and_34_copies_in_17_groups():
    frames = read_frames("CVC-ColonDB")
    assert list(frames) == [f"{number:03d}" for number in range(1, 381)]
    assert {frame.group for frame in frames.values()} == {f"sequence {number}" for number in range(1, 16)}
    copies = {name: frame.copy_of for name, frame in frames.items() if frame.copy_of}
    assert len(copies) == 34
    assert len(set(copies.values())) == 17
    for name, first in copies.items():
        assert first < name
        assert frames[first].copy_of is None
        assert frames[first].group == frames[name].group


@pytest.mark.parametrize("photometric", [None, 1])
def test_clinicdb_reads_tiffs_that_pillow_cannot_open(tmp_path, photometric):
    source = source_of(clinicdb(tmp_path, [1, 30, 612], photometric))
    with pytest.raises(UnidentifiedImageError):
        Image.open(tmp_path / "Original" / "1.tif")
    plan = cvc_clinicdb.plan(source)
    assert plan.facts is cvc_clinicdb.FACTS
    assert [(case.name, case.group) for case in plan.cases] == [
        ("001", "sequence 1"),
        ("030", "sequence 2"),
        ("612", "sequence 29"),
    ]
    case = plan.cases[1]
    assert case.image == PurePosixPath("Original/30.tif")
    assert case.masks == (PurePosixPath("Ground Truth/30.tif"),)
    assert np.array_equal(read_image(source.files[case.image]), random_image(30))
    drawn = case.read_mask(SIZE)
    assert drawn.dtype == np.uint8
    assert np.array_equal(drawn, polyp())  # 127 and the residue are background, 128 is polyp
    assert plan.remarks == ("3 of the 612 frames are here; missing: 002, 003, 004, 005, 006 and 604 more.",)
    assert not plan.official


def test_all_of_clinicdb_leaves_nothing_to_remark(tmp_path):
    for folder in ("Original", "Ground Truth"):
        (tmp_path / folder).mkdir()
        for number in range(1, 613):
            (tmp_path / folder / f"{number}.tif").touch()
    plan = cvc_clinicdb.plan(source_of(tmp_path))
    assert len(plan.cases) == 612
    assert plan.remarks == ()
    frames = read_frames("CVC-ClinicDB")
    assert Counter(case.group for case in plan.cases) == Counter(frame.group for frame in frames.values())


def test_clinicdb_takes_the_png_folders_of_a_mirror(tmp_path):
    plan = cvc_clinicdb.plan(source_of(clinicdb_png(tmp_path / "mirror", [5])))
    assert [case.image for case in plan.cases] == [PurePosixPath("PNG/Original/5.png")]
    assert np.array_equal(plan.cases[0].read_mask(SIZE), polyp())


def test_clinicdb_prefers_tiff_to_png_and_says_so(tmp_path):
    clinicdb_png(clinicdb(tmp_path, [5, 6]), [5, 6])
    (tmp_path / "metadata.csv").touch()
    plan = cvc_clinicdb.plan(source_of(tmp_path))
    assert [case.image.suffix for case in plan.cases] == [".tif", ".tif"]
    assert plan.remarks[0] == "The TIFF files are used; the 4 PNG files beside them are not."
    assert plan.remarks[2] == "Not used: metadata.csv."
    assert len(plan.remarks) == 3


def test_every_fault_of_clinicdb_is_in_one_error(tmp_path):
    clinicdb(tmp_path, [1, 2, 3, 613])
    (tmp_path / "Original" / "1.tif").unlink()
    (tmp_path / "Ground Truth" / "2.tif").unlink()
    for stray in ("frame.tif", "0.tif", "003.tif"):
        (tmp_path / "Original" / stray).touch()
    assert faults_of(cvc_clinicdb.plan, tmp_path) == {
        ("missing-image", "Ground Truth/1.tif"),
        ("file-name", "Ground Truth/613.tif"),
        ("file-name", "Original/0.tif"),
        ("missing-mask", "Original/2.tif"),
        ("duplicate-file", "Original/3.tif"),
        ("file-name", "Original/613.tif"),
        ("file-name", "Original/frame.tif"),
    }


@pytest.mark.parametrize("importer", [cvc_clinicdb, cvc_colondb])
def test_another_folder_is_refused_with_what_was_expected_and_found(tmp_path, importer):
    assert faults_of(importer.plan, tmp_path) == {("layout", "")}
    write_image(tmp_path / "images" / "a.png", random_image(0))
    assert faults_of(importer.plan, tmp_path) == {("layout", "")}


def test_colondb_pairs_by_the_letter_and_counts_its_copies(tmp_path):
    plan = cvc_colondb.plan(source_of(colondb(tmp_path / "CVC-ColonDB", [98, 99, 242, 243, 244])))
    assert [case.name for case in plan.cases] == ["098", "099", "242", "243", "244"]
    assert plan.cases[0].masks == (PurePosixPath("p98.tiff"),)
    assert all(np.array_equal(case.read_mask(SIZE), polyp()) for case in plan.cases)
    frames = read_frames("CVC-ColonDB")
    assert [case.group for case in plan.cases] == [frames[case.name].group for case in plan.cases]
    assert len(plan.remarks) == 2
    assert plan.remarks[0].startswith("The 5 contour files")


def test_colondb_remarks_on_exact_copies_where_both_are_there(tmp_path):
    first = {frame.copy_of: name for name, frame in read_frames("CVC-ColonDB").items() if frame.copy_of}
    original, copy = next(iter(first.items()))
    both = cvc_colondb.plan(source_of(colondb(tmp_path / "both", [int(original), int(copy)])))
    assert both.remarks[0] == "1 of the imported frames are exact copies of an earlier one."
    assert both.cases[0].group == both.cases[1].group
    alone = cvc_colondb.plan(source_of(colondb(tmp_path / "alone", [int(copy)])))
    assert not any("copies" in remark for remark in alone.remarks)


def test_every_fault_of_colondb_is_in_one_error(tmp_path):
    colondb(tmp_path, [1, 2, 381])
    (tmp_path / "p1.tiff").unlink()
    (tmp_path / "2.tiff").unlink()
    assert faults_of(cvc_colondb.plan, tmp_path) == {
        *(("file-name", f"{prefix}381.tiff") for prefix in ("", "p", "cp")),
        ("missing-mask", "1.tiff"),
        ("missing-image", "p2.tiff"),
    }


def refused_kind(case, size=SIZE):
    with pytest.raises(ConversionError) as caught:
        case.read_mask(size)
    assert caught.value.fault.path.endswith(str(case.masks[0]))
    return caught.value.fault.kind


def test_a_mask_of_another_size_is_refused(tmp_path):
    (case,) = cvc_clinicdb.plan(source_of(clinicdb(tmp_path, [7]))).cases
    assert refused_kind(case, (30, 41)) == "mask-size"


@pytest.mark.parametrize(
    ("mask", "kind"),
    [
        (polyp(), "mask-values"),  # 0 and 1 only
        (polyp().astype(np.uint16) * 65535, "mask-format"),
        (np.dstack([polyp()] * 4) * np.uint8(200), "mask-format"),
    ],
)
def test_a_mask_of_ambiguous_values_is_refused(tmp_path, mask, kind):
    folder = clinicdb_png(tmp_path, [7])
    write_image(folder / "PNG" / "Ground Truth" / "7.png", mask)
    (case,) = cvc_clinicdb.plan(source_of(folder)).cases
    assert refused_kind(case) == kind


def test_a_mask_that_is_0_for_white_or_of_five_channels_is_refused(tmp_path):
    folder = clinicdb(tmp_path, [7])
    (case,) = cvc_clinicdb.plan(source_of(folder)).cases
    path = folder / "Ground Truth" / "7.tif"
    tifffile.imwrite(path, polyp() * np.uint8(255), photometric="miniswhite")
    assert refused_kind(case) == "mask-format"
    tifffile.imwrite(path, np.dstack([polyp()] * 5), photometric="minisblack", planarconfig="contig")
    assert refused_kind(case) == "mask-format"


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
def test_a_mask_may_be_of_one_bit_gray_color_or_palette(tmp_path, mode):
    folder = clinicdb_png(tmp_path, [7])
    path = folder / "PNG" / "Ground Truth" / "7.png"
    Image.fromarray(polyp() * np.uint8(255)).convert(mode).save(path)
    (case,) = cvc_clinicdb.plan(source_of(folder)).cases
    assert np.array_equal(case.read_mask(SIZE), polyp())


def test_of_a_colored_mask_the_luma_counts(tmp_path):
    folder = clinicdb_png(tmp_path, [7])
    colors = np.zeros((*SIZE, 3), np.uint8)
    colors[0, 0], colors[0, 1], colors[0, 2] = (0, 255, 0), (255, 0, 255), (255, 0, 0)  # luma 150, 105, 76
    write_image(folder / "PNG" / "Ground Truth" / "7.png", colors)
    (case,) = cvc_clinicdb.plan(source_of(folder)).cases
    assert np.argwhere(case.read_mask(SIZE)).tolist() == [[0, 0]]


def test_the_miniature_is_as_odd_as_it_claims(tmp_path):
    write_odd_tiff(tmp_path / "plain.tif", random_image(1), 2)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "plain.tif")), random_image(1))
