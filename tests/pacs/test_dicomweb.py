"""QIDO-RS, WADO-RS and STOW-RS against a small archive, also with answers that are wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from tmunet.errors import ArchiveError, UsageError
from tmunet.pacs import dicomweb
from tmunet.pacs.dicomweb import Archive, Instance
from tmunet.pacs.http_session import Retries

from ..coded_errors import coded
from ..formats.dicom_sources import make, save
from .archives import FakeArchive

STUDY = "1.2.3"


def client(archive: FakeArchive) -> Archive:
    return Archive(archive.url + "/", retries=Retries(sleep=lambda _: None))


@pytest.mark.parametrize("page", [1, 2, 3, 500])
def test_every_page_of_a_study_is_read(archive: FakeArchive, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(dicomweb, "_PAGE", page)
    added = [archive.add(make("ultrasound", StudyInstanceUID=STUDY)) for _ in range(4)]
    archive.add(make("ultrasound"))
    found = list(client(archive).find_instances(STUDY))
    assert [one.uid for one in found] == [one.SOPInstanceUID for one in added]
    assert (found[0].series, found[0].modality, found[0].sop_class) == (
        added[0].SeriesInstanceUID,
        "US",
        added[0].SOPClassUID,
    )


def test_an_archive_that_takes_no_notice_of_the_offset_is_asked_twice(archive: FakeArchive) -> None:
    item = {"00080018": {"vr": "UI", "Value": ["1.2"]}, "0020000E": {"vr": "UI", "Value": ["1.3"]}}
    reply = (200, {}, json.dumps([item]).encode())
    archive.fail("GET", "instances", reply, reply, reply)
    assert [one.uid for one in client(archive).find_instances(STUDY)] == ["1.2"]
    assert archive.count("GET") == 2


@pytest.mark.parametrize("status", [204, 404])
def test_a_study_that_is_not_held_has_no_instances(archive: FakeArchive, status: int) -> None:
    archive.fail("GET", "instances", (status, {}, b""))
    assert list(client(archive).find_instances(STUDY)) == []


@pytest.mark.parametrize("study", ["", "../../etc", "1.2?x=1", "1." * 40 + "1", "1..2"])
def test_what_is_no_uid_is_sent_nowhere(archive: FakeArchive, study: str) -> None:
    with pytest.raises(UsageError, check=coded("uid")):
        list(client(archive).find_instances(study))
    assert archive.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"<html>PLANTED",
        b'{"a": 1}',
        b"[1]",
        b'[{"00080018": []}]',
        b'[{"00080018": {"Value": ["../x"]}, "0020000E": {"Value": ["1.2"]}}]',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_answers_that_are_no_dicom_json(archive: FakeArchive, body: bytes) -> None:
    archive.fail("GET", "instances", (200, {}, body))
    with pytest.raises(ArchiveError, check=coded("answer")) as error:
        list(client(archive).find_instances(STUDY))
    assert "PLANTED" not in str(error.value)


def multipart(*parts: bytes, end: bytes = b"\r\n--e--\r\n") -> bytes:
    return b"".join(b"\r\n--e\r\nContent-Type: application/dicom\r\n\r\n" + part for part in parts) + end


RELATED = 'multipart/related; type="application/dicom"; boundary="e"'


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (RELATED, multipart(b"a\r\n\r\nb\r\n"), b"a\r\n\r\nb\r\n"),
        (RELATED, b"preamble" + multipart(b"--e"), b"--e"),
        (RELATED, multipart(b""), b""),
        ("application/dicom", b"file", b"file"),
        (RELATED, multipart(b"a", b"b"), None),
        (RELATED, multipart(b"a", end=b""), None),
        (RELATED, b"", None),
        ("multipart/related", multipart(b"a"), None),
        ("text/html", b"<html>", None),
    ],
)
def test_an_instance_is_the_one_part_of_its_message(
    archive: FakeArchive, tmp_path: Path, kind: str, body: bytes, expected: bytes | None
) -> None:
    archive.fail("GET", "instances/1.9", (200, {"Content-Type": kind}, body))
    file = tmp_path / "a.dcm"
    instance = Instance(STUDY, "1.5", "1.9", "", "")
    if expected is None:
        with pytest.raises(ArchiveError, check=coded("answer")):
            client(archive).retrieve(instance, file)
        assert not file.exists()
    else:
        client(archive).retrieve(instance, file)
        assert file.read_bytes() == expected


def test_a_file_is_stored_and_retrieved_as_it_is(archive: FakeArchive, tmp_path: Path) -> None:
    dataset = make("ultrasound", StudyInstanceUID=STUDY)
    file = save(tmp_path / "a.dcm", dataset)
    uid = str(dataset.SOPInstanceUID)
    client(archive).store(STUDY, uid, file)
    client(archive).retrieve(Instance(STUDY, dataset.SeriesInstanceUID, uid, "", ""), tmp_path / "b.dcm")
    assert (tmp_path / "b.dcm").read_bytes() == file.read_bytes() == archive.held[uid]


def refused(reason: int) -> tuple[int, dict[str, str], bytes]:
    item: dict[str, Any] = {"00081197": {"vr": "US", "Value": [reason]}}
    return 200, {}, json.dumps({"00081198": {"vr": "SQ", "Value": [item]}}).encode()


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (refused(272), "refused"),
        ((409, {}, refused(49442)[2]), "refused"),
        ((400, {}, b""), "http"),
        ((413, {}, b""), "http"),
    ],
)
def test_a_refusal_is_a_fault_unless_the_archive_holds_the_instance(
    archive: FakeArchive, tmp_path: Path, reply: tuple[int, dict[str, str], bytes], code: str
) -> None:
    dataset = make("ultrasound", StudyInstanceUID=STUDY)
    file, uid = save(tmp_path / "a.dcm", dataset), str(dataset.SOPInstanceUID)
    archive.fail("POST", "studies", reply)
    with pytest.raises(ArchiveError, check=coded(code)):
        client(archive).store(STUDY, uid, file)
    assert archive.count("POST") == 1
    archive.add(dataset)
    archive.fail("POST", "studies", reply)
    client(archive).store(STUDY, uid, file)


def test_a_store_whose_answer_was_lost_is_done_once(archive: FakeArchive, tmp_path: Path) -> None:
    dataset = make("ultrasound", StudyInstanceUID=STUDY, SOPInstanceUID=generate_uid())
    file, uid = save(tmp_path / "a.dcm", dataset), str(dataset.SOPInstanceUID)
    archive.lose_answer = 1
    client(archive).store(STUDY, uid, file)
    assert list(archive.held) == [uid]
