import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmunet.datasets._build.archive import extract
from tmunet.errors import InputError

from .packing import FORMATS, NOISE, SOUND, content_of, make, refused

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_its_files_without_leftovers(tmp_path, kind):
    leftovers = [
        ("__MACOSX/set/._1.png", b"x"),
        ("set/.DS_Store", b"x"),
        ("set/Thumbs.db", b"x"),
        ("Desktop.ini", b"x"),
    ]
    archive = make(tmp_path / f"set.{kind}", [*SOUND, *leftovers])
    archive = archive.rename(tmp_path / "download")  # known by its content
    extract(archive, tmp_path / "target")
    assert content_of(tmp_path / "target") == {name.removeprefix("./"): content for name, content in SOUND}


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_without_members_gives_an_empty_folder(tmp_path, kind):
    extract(make(tmp_path / f"a.{kind}", []), tmp_path / "target")
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.png", "leads out"),
        ("images/../../evil.png", "leads out"),
        ("images/.. /evil.png", "leads out"),
        ("images/..", "leads out"),
        ("/etc/evil.png", "absolute"),
        ("//host/share/evil.png", "absolute"),
        ("C:/evil.png", "absolute"),
        ("images/c:evil.png", "absolute"),
        ("..\\evil.png", "backslash"),
        ("images\\1.png", "backslash"),
        ("images/1\n.png", "control characters"),
        (".", "no file name"),
        ("a/" * 600 + "1.png", "is not of 1 to 1000 characters"),
    ],
)
def test_unsafe_names_are_refused(tmp_path, kind, name, reason):
    archive = make(tmp_path / f"set.{kind}", [("images/ok.png", b"x"), (name, b"x")])
    refused(archive, f"the member .* {reason}.*Nothing of the archive was kept")


def test_a_nul_does_not_hide_the_rest_of_a_name(tmp_path):
    refused(make(tmp_path / "set.zip", [("1.png\0.txt", b"x")]), "control characters")
    with tarfile.open(tmp_path / "set.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("1.png")
        info.pax_headers = {"path": "1.png\0.txt"}
        archive.addfile(info)
    refused(tmp_path / "set.tar", "control characters")


def test_names_that_are_not_utf8_are_refused(tmp_path):
    with tarfile.open(tmp_path / "set.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("Müller.png"))
    refused(tmp_path / "set.tar", "is not UTF-8")


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    "names",
    [
        ("a/1.png", "a/1.png"),
        ("a/1.png", "./a//1.png"),
        ("a/1.png", "A/1.PNG"),
        ("a/ä.png", "a/a\u0308.png"),
        ("a/straße.png", "a/STRASSE.png"),
        ("a/1.png", "a/1.png. "),
        ("a", "a/1.png"),
        ("a/1.png", "A"),
    ],
)
def test_names_that_clash_are_refused(tmp_path, kind, names):
    refused(make(tmp_path / f"set.{kind}", [(name, b"x") for name in names]), "would be one file on some systems")


def test_folders_may_be_listed_twice_and_share_a_name_but_for_case(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("a/", "./", "a/1.png", "A/2.png"):
            archive.writestr(name, b"")
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        for name in ("a", ".", "a", "a/1.png"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.REGTYPE if name.endswith("png") else tarfile.DIRTYPE
            archive.addfile(info)
    extract(tmp_path / "set.zip", tmp_path / "zip")
    extract(tmp_path / "set.tar", tmp_path / "tar")
    assert set(content_of(tmp_path / "zip")) == {"a/1.png", "A/2.png"}
    assert set(content_of(tmp_path / "tar")) == {"a/1.png"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, b"Z"]
)
def test_links_and_devices_in_a_tar_file_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = kind, "../../../etc/passwd"
        archive.addfile(info)
    refused(tmp_path / "set.tar", "'link' is a link, a device or sparse")


def test_a_sparse_file_is_refused(tmp_path):
    with tarfile.open(tmp_path / "set.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("hole")
        info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "99999999"}
        archive.addfile(info)
    refused(tmp_path / "set.tar", "sparse")


def test_links_and_devices_in_a_zip_file_are_refused(tmp_path):
    for mode in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR):
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            info = zipfile.ZipInfo("link")
            info.external_attr = (mode | 0o777) << 16
            archive.writestr(info, "../../etc/passwd")
        refused(tmp_path / "set.zip", "is a link or a device")


def test_an_encrypted_member_is_refused(tmp_path):
    archive = make(tmp_path / "set.zip", SOUND)
    content = bytearray(archive.read_bytes())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + flags] |= 1
    archive.write_bytes(content)
    refused(archive, "is encrypted")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Rar!\x1a\x07\x01\0" + NOISE, "is a RAR archive, which is not read; unpack it yourself"),
        (b"7z\xbc\xaf\x27\x1c" + NOISE, "is a 7-Zip archive"),
        (b"<!DOCTYPE html>", "expected a .zip, .tar.* but the file begins with b'<!DOCTYPE ht'; .*download it again"),
        (b"", "begins with b''"),
        (b"\x1f\x8b" + NOISE, "damaged"),
    ],
)
def test_what_is_no_archive_is_named(tmp_path, content, message):
    (tmp_path / "set.zip").write_bytes(content)
    refused(tmp_path / "set.zip", message)


def test_a_compression_that_is_not_known_is_named(tmp_path):
    archive = make(tmp_path / "set.zip", SOUND)
    content = bytearray(archive.read_bytes())
    for magic, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(magic) + method] = 9  # Deflate64
    archive.write_bytes(content)
    refused(archive, "NotImplementedError: That compression method is not supported")


def test_a_target_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    archive = make(tmp_path / "set.zip", SOUND)
    with pytest.raises(InputError, match=r"set\.zip: cannot be unpacked into .*: Not a directory; check both paths"):
        extract(archive, tmp_path / "file" / "target")
    with pytest.raises(InputError, match="File exists"):
        extract(archive, tmp_path)
    assert content_of(tmp_path).keys() == {"file", "set.zip"}


NAMES = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.lists(
            st.sampled_from(["..", ".", "", "a", "A", "b.png", "C:", "\\", "\0", " ", ".. ", "ä", "~", "$HOME", "CON"]),
            max_size=5,
        ).map("/".join),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["zip", "tar"]), NAMES)
def test_no_name_leads_out_of_the_target(kind, names):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        try:
            archive = make(root / f"set.{kind}", [(name, b"x") for name in names])
        except (UnicodeEncodeError, ValueError):  # no such archive can be made
            return
        try:
            extract(archive, root / "in" / "side" / "target")
        except InputError:
            assert not (root / "in" / "side" / "target").exists()
        outside = [p for p in root.rglob("*") if p.is_file() and not p.is_relative_to(root / "in" / "side" / "target")]
        assert outside == [archive]
