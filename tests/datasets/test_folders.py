from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tmunet.data.split.group_table import read_groups
from tmunet.datasets._build.faults import DatasetImportError
from tmunet.datasets._build.file_pattern import FilePattern
from tmunet.datasets.folders import FolderOptions, plan
from tmunet.errors import DataError, InputError, UsageError

from .miniatures import SMALL, box, faults_of, photograph, save, source_of


def make(folder, files):
    for seed, (name, mask) in enumerate(files.items()):
        save(folder / name, photograph(seed) if mask is None else mask)
    return source_of(folder)


def test_masks_follow_from_the_name_of_the_image(tmp_path):
    source = make(
        tmp_path,
        {"scans/10.jpg": None, "scans/9.jpg": None, "labels/10_seg.png": box(0, 0), "labels/9_seg.png": box(1, 1, 1)},
    )
    (tmp_path / "scans" / "notes.txt").write_text("x")
    made = plan(source_of(tmp_path), FolderOptions("scans/*.jpg", "labels/{name}_seg.png", "my scans"))
    assert [case.name for case in made.cases] == ["9", "10"]
    assert made.cases[1].image == PurePosixPath("scans/10.jpg")
    assert np.array_equal(made.cases[1].read_mask(SMALL), box(0, 0, 1))
    assert made.facts.name == "my scans"
    assert made.facts.notes == ("Images are the files scans/*.jpg; the mask of an image is labels/{name}_seg.png.",)
    assert made.remarks == ("Not used: scans/notes.txt.",)
    with pytest.raises(InputError, match="expected the mask to have the 9 x 6 pixels"):
        made.cases[0].read_mask((6, 9))
    assert len(plan(source, FolderOptions("./scans/*.jpg", "./labels/{name}_seg.png", "my scans")).cases) == 2


@pytest.mark.parametrize(
    ("images", "masks", "files"),
    [
        ("**/*.jpg", "{name}.png", ["a/1.jpg", "a/1.png", "b/c/1.jpg", "b/c/1.png"]),
        ("x/**/*.jpg", "y/{name}.png", ["x/a/1.jpg", "y/a/1.png", "x/b/c/1.jpg", "y/b/c/1.png"]),
        ("p/*/i.jpg", "p/{name}_m.png", ["p/a/i.jpg", "p/a/i_m.png", "p/b_c/i.jpg", "p/b_c/i_m.png"]),
        ("p/{name}/i.jpg", "p/{name}/m.png", ["p/a_1/i.jpg", "p/a_1/m.png", "p/b_c_1/i.jpg", "p/b_c_1/m.png"]),
        ("{name}_image.png", "{name}_mask.png", ["a_1_image.png", "a_1_mask.png", "b_c_1_image.png", "b_c_1_mask.png"]),
        ("*.png", "{name}_mask.png", ["a_1.png", "a_1_mask.png", "b_c_1.png", "b_c_1_mask.png"]),
    ],
)
def test_patterns(tmp_path, images, masks, files):
    source = make(tmp_path, {name: box(0, 0) if place % 2 else None for place, name in enumerate(files)})
    made = plan(source, FolderOptions(images, masks, "set"))
    assert {(str(case.image), *map(str, case.masks)) for case in made.cases} == {tuple(files[:2]), tuple(files[2:])}
    wanted = {"p/*/i.jpg": ["a_i", "b_c_i"]}.get(images, ["a_1", "b_c_1"])
    assert [case.name for case in made.cases] == wanted
    assert not made.remarks


def test_files_without_counterpart_and_clashes_are_told_at_once(tmp_path):
    names = ["x/1.jpg", "x/2.jpg", "x/a/b.jpg", "x/a_b.jpg"]
    masks = ["y/1.png", "y/3.png", "y/a/b.png", "y/a_b.png"]
    make(tmp_path, dict.fromkeys(names) | {name: box(0, 0) for name in masks})
    assert faults_of(plan, tmp_path, FolderOptions("x/**/*.jpg", "y/{name}.png", "set")) == {
        ("missing-mask", "x/2.jpg"),
        ("missing-image", "y/3.png"),
        ("name-clash", "x/a/b.jpg and x/a_b.jpg"),
    }


@pytest.mark.parametrize(
    ("images", "advice"),
    [
        ("scans/*.jpg", "Did you mean data/scans/1.JPG? Then the folders are deeper."),
        ("data/scans/*.jpg", "Did you mean data/scans/1.JPG? Then capitals and small letters differ."),
        ("photos/*.png", "files with the suffixes .JPG (2), .txt (1): data/read me.txt, data/scans/1.JPG"),
    ],
)
def test_a_pattern_that_finds_nothing_says_what_is_there(tmp_path, images, advice):
    (tmp_path / "data/scans").mkdir(parents=True)
    for name in ("1", "2"):
        Image.fromarray(photograph(0)).save(tmp_path / f"data/scans/{name}.JPG", "JPEG")
    (tmp_path / "data/read me.txt").write_text("x")
    with pytest.raises(DatasetImportError) as caught:
        plan(source_of(tmp_path), FolderOptions(images, "labels/{name}.png", "set"))
    (fault,) = caught.value.faults
    assert fault.kind == "no-images"
    assert advice in fault


def test_an_empty_folder_says_so(tmp_path):
    assert faults_of(plan, tmp_path, FolderOptions("*.png", "m/{name}.png", "set")) == {("no-images", "")}


def test_gray_masks_need_a_threshold(tmp_path):
    mask = box(1, 1, 200)
    mask[5, 5] = 100
    source = make(tmp_path, {"i/1.png": None, "m/1.png": mask})
    with pytest.raises(InputError, match=r"1.png: expected a mask .* but found 0 \(38 pixels\), 100 \(1 pixel\), 200"):
        plan(source, FolderOptions("i/*.png", "m/{name}.png", "set")).cases[0].read_mask(SMALL)
    made = plan(source, FolderOptions("i/*.png", "m/{name}.png", "set", threshold=150))
    assert np.array_equal(made.cases[0].read_mask(SMALL), box(1, 1, 1))
    assert made.facts.notes[1] == "A pixel is foreground if the value of its mask is above 150."


def test_stored_values_get_their_classes(tmp_path):
    mask = np.maximum(box(0, 0, 85), box(3, 4, 170))
    source = make(tmp_path, {"i/1.png": None, "m/1.png": mask})
    classes = ("background", "cup", "disc")
    options = FolderOptions("i/*.png", "m/{name}.png", "set", classes, values={0: 0, 170: 1, 85: 2, 255: 0})
    made = plan(source, options)
    assert np.array_equal(made.cases[0].read_mask(SMALL), np.maximum(box(0, 0, 2), box(3, 4, 1)))
    assert made.facts.classes == classes
    assert made.facts.notes[1].startswith("Stored values of the masks: 0 is background, 85 is disc, 170 is cup")
    lacking = FolderOptions("i/*.png", "m/{name}.png", "set", classes, values={0: 0, 85: 1})
    with pytest.raises(InputError, match=r"expected the values 0, 85 only, but found 0 \(30 pixels\), 85 .* 170 \(9"):
        plan(source, lacking).cases[0].read_mask(SMALL)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"masks": "m/*.png"}, r"Expected `masks` to hold \{name\}"),
        ({"masks": "m/{name}.txt"}, "to end in one of .bmp, .dcm, .gif"),
        ({"images": "{name}/{name}.png"}, r"Expected \{name\} at most once in a pattern"),
        ({"images": "m/*.png"}, "Every file that fits `images`, 'm/\\*.png', fits `masks`"),
        ({"name": " "}, "Expected `name` to be the name"),
        ({"classes": ("a", "a")}, "2 to 255 different names"),
        ({"threshold": 255}, "Expected `threshold` to be between 0 and 254, but got 255"),
        ({"threshold": 9, "values": {0: 0}}, "for two classes and without `values`"),
        ({"threshold": 9, "classes": ("a", "b", "c")}, "for two classes and without `values`"),
        ({"values": {0: 0, 9: 2}}, "Expected `values` to give labels from 0 to 1"),
        ({"values": {}}, "Expected `values` to give labels"),
    ],
)
def test_options_that_do_not_fit(tmp_path, options, message):
    source = make(tmp_path, {"i/1.png": None, "m/1.png": box(0, 0)})
    with pytest.raises(UsageError, match=message):
        plan(source, FolderOptions(**{"images": "i/*.png", "masks": "m/{name}.png", "name": "set", **options}))


def test_groups_come_from_a_table(tmp_path):
    source = make(tmp_path, {"i/1.png": None, "i/2.png": None, "m/1.png": box(0, 0), "m/2.png": box(0, 0)})
    table = tmp_path / "who.csv"
    table.write_text("case,group\n2.png,patient 7\n")
    made = plan(source, FolderOptions("i/*.png", "m/{name}.png", "set", groups=table))
    assert [case.group for case in made.cases] == [None, "patient 7"]
    assert made.facts.group == "as in who.csv"


WORD = st.text("ab.-_ ()", min_size=1, max_size=5).filter(lambda text: text.strip("."))


@given(st.lists(WORD, max_size=3), WORD, WORD, WORD)
def test_what_a_pattern_gives_makes_the_path_again(folders, name, before, after):
    path = PurePosixPath(*folders, f"{before}{name}{after}.png")
    pattern = FilePattern("/".join([*folders, f"{before}{{name}}{after}.png"]))
    assert pattern.name(path) == name
    star = FilePattern("/".join([*folders, "*.png"])).name(path)
    assert star == f"{before}{name}{after}"
    assert str(PurePosixPath(*folders, f"{FilePattern('**/*.png').name(PurePosixPath(path.name))}.png")) == str(path)
    assert pattern.name(path / "x") is None


def test_groups_are_read_by_case_or_file_name(tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text("\ufeffage, group ,case\n3,  A, 1.png\n4,B,x.2\n\n5,A,3\n", "utf-8")
    assert read_groups(table, ["1", "x.2", "3", "4"]) == {"1": "A", "x.2": "B", "3": "A"}


def test_every_fault_of_a_table_has_its_line(tmp_path):
    table = tmp_path / "groups.csv"
    table.write_text('case,group\nframe1,a\nframe01,a\nframe1.png,b\n"frame2", \nframe3\nframe9,\n')
    with pytest.raises(DataError) as caught:
        read_groups(table, ["frame1", "frame2", "frame3"])
    assert caught.value.faults == (
        "line 3: there is no case 'frame01'; did you mean 'frame1'?",
        "line 4: the case 'frame1' stands on line 2 already; keep it once.",
        "line 5: the case 'frame2' has no group; name one, or leave the line out.",
        "line 6: the case 'frame3' has no group; name one, or leave the line out.",
        "line 7: there is no case 'frame9'; did you mean 'frame3'?",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: expected the header case,group, but found an empty file: no case and no group."),
        (b"case group\n1;a\n", "but found case group: no case and no group."),
        (b"case,patient\n", "but found case,patient: no group."),
        (b"case,group\n\xff\xfe,a\n", "expected a CSV table in UTF-8, but line 2 holds the byte 0xff"),
        (b'case,group\n"1,a\n', "is not a CSV table: unexpected end of data"),
        (None, "cannot be opened: No such file"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, content, message):
    table = tmp_path / "groups.csv"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_groups(table, ["1"])
    assert str(table) in str(caught.value)
    assert message in str(caught.value)
