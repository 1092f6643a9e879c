import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tmunet.datasets._build.faults import DatasetImportError
from tmunet.datasets._build.source import SourceFiles, list_files, open_source
from tmunet.errors import InputError, UsageError


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    return folder


def pack(folder: Path, archive: Path) -> Path:
    return Path(shutil.make_archive(str(archive.with_suffix("")), "zip", folder)).rename(archive)


def names(source: SourceFiles) -> list[str]:
    for key, path in source.files.items():
        assert path.read_text() == f"content of {key}"
    return list(map(str, source.files))


def test_a_folder_gives_its_files_by_relative_path(tmp_path):
    folder = write(tmp_path / "set", "b.txt", "a/1.tif", "a/.hidden", "__MACOSX/a/1.tif", "a/Thumbs.db", ".git/config")
    source = open_source(folder, tmp_path / "staging")
    assert names(source) == ["a/1.tif", "b.txt"]
    assert source.location == folder
    assert not (tmp_path / "staging").exists()


def test_an_archive_and_a_folder_of_archives_give_the_files_inside(tmp_path):
    write(tmp_path / "one", "images/1.png")
    write(tmp_path / "two", "masks/1.png")
    folder = write(tmp_path / "set", "readme.txt", "sub/kept.txt")
    pack(tmp_path / "one", folder / "one.zip")
    pack(tmp_path / "two", folder / "two.ZIP")
    source = open_source(folder, tmp_path / "staging")
    assert names(source) == ["images/1.png", "masks/1.png", "readme.txt", "sub/kept.txt"]
    assert names(open_source(folder / "one.zip", tmp_path / "other")) == ["images/1.png"]
    assert {path.name for path in (tmp_path / "staging").iterdir()} == {"0", "1"}


def test_archives_in_archives_are_opened_one_level_deep(tmp_path):
    write(tmp_path / "deep", "x.txt")
    inner = write(tmp_path / "inner", "Tissue Images/1.tif")
    pack(tmp_path / "deep", inner / "deep.zip")
    outer = write(tmp_path / "outer", "data/readme.txt")
    pack(inner, outer / "data" / "train.zip")
    source = open_source(pack(outer, tmp_path / "all.zip"), tmp_path / "staging")
    assert list(map(str, source.files)) == ["data/Tissue Images/1.tif", "data/deep.zip", "data/readme.txt"]


def test_a_damaged_archive_leaves_nothing_behind(tmp_path):
    archive = pack(write(tmp_path / "one", "a.txt", "b.txt"), tmp_path / "one.zip")
    archive.write_bytes(archive.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"one\.zip: the archive is damaged or cut short"):
        open_source(archive, tmp_path / "staging")
    assert not list((tmp_path / "staging").iterdir())


def test_the_same_file_may_be_there_packed_and_unpacked(tmp_path):
    folder = write(tmp_path / "set", "a/1.txt")
    pack(folder, tmp_path / "set.zip").rename(folder / "set.zip")
    assert names(open_source(folder, tmp_path / "staging")) == ["a/1.txt"]
    (folder / "a" / "1.txt").write_text("other")
    with pytest.raises(InputError, match=r"hold different files 'a/1\.txt'"):
        open_source(folder, tmp_path / "again")


def test_links_are_followed_but_not_in_circles(tmp_path):
    elsewhere = write(tmp_path / "elsewhere", "z.txt")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "z.txt").symlink_to(elsewhere / "z.txt")
    (folder / "a_circle").symlink_to(folder)
    (folder / "inside").mkdir()
    (folder / "inside" / "z.txt").symlink_to(elsewhere / "z.txt")
    (folder / "inside" / "up").symlink_to("..")
    (folder / "b_link").symlink_to("inside")
    (folder / "other").symlink_to(elsewhere)
    source = open_source(folder, tmp_path / "staging")
    assert list(map(str, source.files)) == ["inside/z.txt", "other/z.txt", "z.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names or no pipes")
def test_everything_that_is_no_file_is_listed(tmp_path):
    folder = write(tmp_path / "set", "a.txt")
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "self.png").symlink_to("self.png")
    os.mkfifo(folder / "pipe.png")
    (folder / os.fsdecode(b"M\xfcller.png")).write_text("x")
    with pytest.raises(DatasetImportError) as caught:
        open_source(folder, tmp_path / "staging")
    assert {(fault.kind, Path(fault.path).name) for fault in caught.value.faults} == {
        ("not-a-file", "gone.png"),
        ("not-a-file", "self.png"),
        ("not-a-file", "pipe.png"),
        ("file-name", "M\\udcfcller.png"),
    }


def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    with pytest.raises(DatasetImportError) as caught:
        list_files(tmp_path / "gone")
    assert [(fault.kind, fault.path) for fault in caught.value.faults] == [
        ("unreadable-folder", str(tmp_path / "gone"))
    ]


def test_what_holds_no_files_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"set: does not exist; expected a folder or an archive"):
        open_source(tmp_path / "set", tmp_path / "staging")
    folder = write(tmp_path / "set", ".hidden")
    with pytest.raises(InputError, match="expected the files of a data set, but found nothing"):
        open_source(folder, tmp_path / "staging")
    write(folder, "CVC-ClinicDB.rar")
    with pytest.raises(InputError, match=r"found CVC-ClinicDB\.rar"):
        open_source(folder, tmp_path / "staging")
    write(folder, "CVC-ClinicDB/Original/1.tif")
    assert names(open_source(folder, tmp_path / "staging")) == ["CVC-ClinicDB/Original/1.tif", "CVC-ClinicDB.rar"]


def test_staging_inside_the_source_is_refused(tmp_path):
    folder = write(tmp_path / "set", "a.txt")
    with pytest.raises(UsageError, match="Expected `staging` to be outside of"):
        open_source(folder, folder / "staging")


def test_a_staging_folder_that_cannot_be_written_is_named(tmp_path):
    archive = pack(write(tmp_path / "one", "a.txt"), tmp_path / "one.zip")
    (tmp_path / "staging").write_text("a file")
    with pytest.raises(InputError, match=r"cannot be extracted into .*: Not a directory"):
        open_source(archive, tmp_path / "staging")


def test_hostile_archives_are_refused_through_the_front_door(tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../evil.txt", "x")
    with pytest.raises(InputError, match="leads out of its folder"):
        open_source(tmp_path / "evil.zip", tmp_path / "staging")
    assert not list(tmp_path.rglob("evil.txt"))
