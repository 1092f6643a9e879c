import io
import re
import stat
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmunet.datasets._build.archives import ArchiveError, ExtractionBudget, extract
from tmunet.errors import InputError

from .hostile_archives import FORMATS, NOISE, SOUND, content_of, make, refused

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
    refused(archive, "unsafe-name", reason=reason)


def test_a_nul_does_not_hide_the_rest_of_a_name(tmp_path):
    refused(make(tmp_path / "set.zip", [("1.png\0.txt", b"x")]), "unsafe-name", reason="control characters")
    with tarfile.open(tmp_path / "set.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("1.png")
        info.pax_headers = {"path": "1.png\0.txt"}
        archive.addfile(info)
    refused(tmp_path / "set.tar", "unsafe-name", reason="control characters")


def test_names_that_are_not_utf8_are_refused(tmp_path):
    with tarfile.open(tmp_path / "set.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("Müller.png"))
    refused(tmp_path / "set.tar", "unsafe-name", reason="is not UTF-8")


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
    refused(make(tmp_path / f"set.{kind}", [(name, b"x") for name in names]), "name-clash")


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
    refused(tmp_path / "set.tar", "link-or-device")


def test_a_sparse_file_is_refused(tmp_path):
    with tarfile.open(tmp_path / "set.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("hole")
        info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "99999999"}
        archive.addfile(info)
    refused(tmp_path / "set.tar", "link-or-device")


def test_links_and_devices_in_a_zip_file_are_refused(tmp_path):
    for mode in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR):
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            info = zipfile.ZipInfo("link")
            info.external_attr = (mode | 0o777) << 16
            archive.writestr(info, "../../etc/passwd")
        refused(tmp_path / "set.zip", "link-or-device")


def test_an_encrypted_member_is_refused(tmp_path):
    archive = make(tmp_path / "set.zip", SOUND)
    content = bytearray(archive.read_bytes())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + flags] |= 1
    archive.write_bytes(content)
    refused(archive, "encrypted")


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (b"Rar!\x1a\x07\x01\0" + NOISE, "format", "RAR"),
        (b"7z\xbc\xaf\x27\x1c" + NOISE, "format", "7-Zip"),
        (b"<!DOCTYPE html>", "format", "b'<!DOCTYPE ht'"),
        (b"", "format", "b''"),
        (b"\x1f\x8b" + NOISE, "damaged", ""),
    ],
)
def test_what_is_no_archive_is_named(tmp_path, content, kind, reason):
    (tmp_path / "set.zip").write_bytes(content)
    refused(tmp_path / "set.zip", kind, reason=reason)


def test_a_compression_that_is_not_known_is_named(tmp_path):
    archive = make(tmp_path / "set.zip", SOUND)
    content = bytearray(archive.read_bytes())
    for magic, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(magic) + method] = 9  # Deflate64
    archive.write_bytes(content)
    refused(archive, "damaged", reason="NotImplementedError")


def test_a_target_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    archive = make(tmp_path / "set.zip", SOUND)
    for target in (tmp_path / "file" / "target", tmp_path):  # under a file, and a folder that exists
        with pytest.raises(ArchiveError) as caught:
            extract(archive, target)
        assert caught.value.kind == "target"
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


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        (ExtractionBudget(members=2), "at most 2 members"),
        (ExtractionBudget(member_bytes=2999), "members of at most 2,999 bytes"),
        (ExtractionBudget(total_bytes=5999), "at most 5,999 bytes together"),
        (ExtractionBudget(ratio=0, floor_bytes=5999), "at most 5,999 bytes together"),
    ],
)
def test_the_budget_is_kept(tmp_path, kind, budget, reason):
    refused(make(tmp_path / f"set.{kind}", SOUND), "budget", budget, reason)


def test_empty_masks_may_compress_a_thousandfold(tmp_path):
    masks = [(f"{number}.bmp", bytes(400_000)) for number in range(20)]
    for kind in ("zip", "tar.xz"):
        archive = make(tmp_path / f"set.{kind}", masks)
        assert archive.stat().st_size * 500 < 20 * 400_000
        extract(archive, tmp_path / kind)
        refused(archive, "budget", ExtractionBudget(floor_bytes=2**20))


def central_sizes(content: bytearray, size: int) -> None:
    """Let the directory of a zip file declare another size for its members, but for the same packed bytes."""
    for found in re.finditer(b"PK\x01\x02", bytes(content)):
        content[found.start() + 24 : found.start() + 28] = struct.pack("<I", size)


@pytest.mark.parametrize("size", [0, 10, 2999, 3001, 2**31])
def test_a_zip_file_that_declares_another_size_is_damaged(tmp_path, size):
    archive = make(tmp_path / "set.zip", [("1.png", b"one" * 1000)])
    content = bytearray(archive.read_bytes())
    central_sizes(content, size)
    archive.write_bytes(content)
    refused(archive, "damaged|budget")


def test_a_declared_size_beyond_the_free_disk_is_refused_before_anything_is_unpacked(tmp_path):
    archive = make(tmp_path / "set.zip", [(f"{number}.png", b"") for number in range(5_000)])
    content = bytearray(archive.read_bytes())
    central_sizes(content, 2**32 - 2)
    archive.write_bytes(content)
    huge = 2**60
    refused(archive, "disk-full", ExtractionBudget(huge, huge, huge, huge, huge))


def test_a_tar_file_cannot_reach_beyond_its_room_by_members_that_are_left_out(tmp_path):
    archive = make(tmp_path / "set.tar.gz", [(".hidden", bytes(3_000_000)), ("1.png", b"x")])
    refused(archive, "budget", ExtractionBudget(floor_bytes=2**20))


def test_members_that_share_their_bytes_count_each(tmp_path):
    archive = make(tmp_path / "set.zip", [("1.png", bytes(100_000))])
    content = archive.read_bytes()
    start = content.index(b"PK\x01\x02")
    directory, end = content[start : content.index(b"PK\x05\x06")], bytearray(content[content.index(b"PK\x05\x06") :])
    many = b"".join(directory.replace(b"1.png", b"%05d" % number) for number in range(50))
    end[8:16] = struct.pack("<HHI", 50, 50, len(many))
    archive.write_bytes(content[:start] + many + end)
    refused(archive, "budget", ExtractionBudget(floor_bytes=2**20))
    refused(archive, "damaged")  # by the names in front of the content, which are all the first one's


@pytest.mark.parametrize("kind", FORMATS)
def test_an_archive_that_was_cut_short_is_refused(tmp_path, kind):
    archive = make(tmp_path / f"set.{kind}", SOUND)
    content = archive.read_bytes()
    payload = len(content) if kind != "tar" else 8192  # the rest of a tar file is padding
    for size in (1, 100, 512, 1024, payload // 2, payload - 513, payload - 1):
        if size < payload:
            archive.write_bytes(content[:size])
            refused(archive, "damaged|format")


@given(st.sampled_from(FORMATS), st.data())
def test_damage_is_seen_or_does_no_harm(kind, data):
    with tempfile.TemporaryDirectory() as folder:
        archive = make(Path(folder) / f"set.{kind}", SOUND)
        content = bytearray(archive.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        archive.write_bytes(content)
        target = Path(folder) / "target"
        try:
            extract(archive, target)
        except InputError:
            assert not target.exists()
        else:
            found = content_of(target)
            if kind != "tar":  # a plain tar file has no sums of what its files hold
                assert sorted(found.values()) == sorted(content for _, content in SOUND)
            assert len(found) == len(SOUND)


@pytest.mark.parametrize("damaged", [b"\0" * 512, b"\xff" * 512])
def test_a_tar_file_does_not_end_early_without_a_word(tmp_path, damaged):
    archive = make(tmp_path / "set.tar", [(f"{number}.png", b"x") for number in range(4)])
    content = bytearray(archive.read_bytes())
    content[2048:2560] = damaged
    archive.write_bytes(content)
    refused(archive, "damaged", reason="at byte 2,048")


def test_a_huge_header_does_not_fill_the_memory(tmp_path):
    huge = tarfile.TarInfo("././@PaxHeader")
    huge.type, huge.size = tarfile.XHDTYPE, 2**26
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.addfile(huge, io.BytesIO(bytes(2**26)))
    tracemalloc.start()
    refused(tmp_path / "set.tar.gz", "damaged", reason="header")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_a_negative_size_is_damage(tmp_path):
    archive = make(tmp_path / "set.tar", [("1.png", b"x")])
    content = bytearray(archive.read_bytes())
    content[124:136] = tarfile.itn(-1024, 12, tarfile.GNU_FORMAT)
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    archive.write_bytes(content)
    refused(archive, "damaged")
