"""HTTP to an archive: retries, Retry-After, token, certificate, limits."""

import logging
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from tmunet.errors import ArchiveError, InputError, TMUNetWarning, UsageError
from tmunet.pacs.http_session import Answer, Credentials, HttpSession, Retries, origin, read_token, retry_after

from ..coded_errors import coded
from .archives import FakeArchive

HERE = "/studies/1.2/instances"
OK = (200, {}, b"[]")


def session(
    archive: FakeArchive,
    waits: list[float] | None = None,
    max_bytes: int = 1000,
    token: str | None = None,
    certificate: Path | None = None,
) -> HttpSession:
    retries = Retries(sleep=(lambda _: None) if waits is None else waits.append)
    return HttpSession(archive.url, Credentials(token, certificate), retries, max_bytes)


def get(one: HttpSession) -> Answer:
    return one.request("GET", HERE, {"Accept": "application/dicom+json"})


@pytest.mark.parametrize("failure", [(500, {}, b""), (502, {}, b""), (503, {}, b""), (504, {}, b""), None])
def test_what_may_pass_is_tried_again_with_doubled_waits(archive: FakeArchive, failure: object) -> None:
    waits: list[float] = []
    archive.fail("GET", HERE, failure, failure, failure, OK)  # type: ignore[arg-type]
    assert get(session(archive, waits)).body == b"[]"
    assert waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(("failure", "code", "status"), [((503, {}, b""), "http", 503), (None, "unreachable", None)])
def test_attempts_are_bounded(archive: FakeArchive, failure: object, code: str, status: int | None) -> None:
    waits: list[float] = []
    archive.fail("GET", HERE, *[failure] * 9)  # type: ignore[list-item]
    with pytest.raises(ArchiveError, check=coded(code)) as error:
        get(session(archive, waits))
    assert error.value.status == status
    assert (archive.count("GET"), len(waits)) == (5, 4)


def test_an_answer_that_is_cut_short_is_asked_for_again(archive: FakeArchive) -> None:
    archive.fail("GET", HERE, (200, {"Content-Length": "100"}, b"[1"), OK)
    assert get(session(archive)).body == b"[]"
    assert archive.count("GET") == 2


@pytest.mark.parametrize("status", [400, 404, 409, 410, 413, 415])
def test_other_statuses_of_4xx_are_answers(archive: FakeArchive, status: int) -> None:
    archive.fail("GET", HERE, (status, {"Retry-After": "1"}, b""), OK)
    assert get(session(archive)).status == status
    assert archive.count("GET") == 1


@pytest.mark.parametrize(
    ("status", "code"), [(401, "denied"), (403, "denied"), (301, "http"), (307, "http"), (429, "http")]
)
def test_refusals_are_not_tried_again(archive: FakeArchive, status: int, code: str) -> None:
    archive.fail("GET", HERE, (status, {"Location": f"{archive.url}/other"}, b"PLANTED"), OK)
    with pytest.raises(ArchiveError, check=coded(code)) as error:
        get(session(archive, token="Bearer secret"))
    assert archive.count("GET") == 1
    assert "PLANTED" not in str(error.value)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honored(archive: FakeArchive, status: int) -> None:
    waits: list[float] = []
    date = formatdate(time.time() + 30, usegmt=True)
    archive.fail("GET", HERE, (status, {"Retry-After": "17"}, b""), (status, {"Retry-After": date}, b""), OK)
    assert get(session(archive, waits)).status == 200
    assert waits == [17.0, pytest.approx(30, abs=5)]


def test_a_wait_beyond_the_bound_is_given_up(archive: FakeArchive) -> None:
    waits: list[float] = []
    archive.fail("GET", HERE, (503, {"Retry-After": "3600"}, b""), OK)
    with pytest.raises(ArchiveError, check=coded("http")):
        get(session(archive, waits))
    assert (waits, archive.count("GET")) == ([], 1)


@pytest.mark.parametrize("value", ["", "soon", "-5", "Wed, 99 Foo"])
def test_a_retry_after_that_says_nothing(value: str) -> None:
    assert retry_after({"Retry-After": value}) is None


def test_a_larger_answer_is_refused_before_it_is_read(archive: FakeArchive) -> None:
    archive.fail("GET", HERE, (200, {}, b"x" * 1000), (200, {}, b"x" * 1001))
    one = session(archive)
    assert len(get(one).body) == 1000
    with pytest.raises(ArchiveError, check=coded("too-large")):
        get(one)


@pytest.mark.parametrize(
    ("content", "sent"),
    [("s3cret\n", "Bearer s3cret"), ("Basic dXNlcjpwYXNz", "Basic dXNlcjpwYXNz"), (None, None)],
)
def test_the_token_is_sent_and_seen_nowhere(
    archive: FakeArchive,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    sent: str | None,
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))  # which requests reads by itself where nothing else is given
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n", "utf-8")
    file = tmp_path / "token"
    file.write_text(content or "", "utf-8")
    archive.fail("GET", HERE, (503, {}, b""), (404, {}, b""))
    with caplog.at_level(logging.DEBUG):
        one = session(archive, token=None if content is None else read_token(file))
        get(one)
    assert [headers.get("Authorization") for _, _, headers in archive.requests] == [sent, sent]
    shown = caplog.text + repr(one) + repr(Credentials(sent))
    assert "s3cret" not in shown
    assert "dXNl" not in shown


@pytest.mark.parametrize("content", ["", "a\nb", "a b c", "a\tb", "käse"])
def test_a_token_file_holds_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content, "utf-8")
    with pytest.raises(InputError, check=coded("token", tmp_path / "token")) as error:
        read_token(tmp_path / "token")
    assert content == "" or content not in str(error.value)


def test_files_that_are_not_there(archive: FakeArchive, tmp_path: Path) -> None:
    with pytest.raises(InputError, check=coded("unreadable", tmp_path / "none")):
        read_token(tmp_path / "none")
    with pytest.raises(InputError, check=coded("unreadable", tmp_path / "none")):
        session(archive, certificate=tmp_path / "none")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://user:secret@pacs/dicom-web", "password"),
        ("https://user@pacs", "password"),
        ("ftp://pacs", "url"),
        ("pacs/dicom-web", "url"),
        ("https://", "url"),
        ("https://pacs:port/", "url"),
        ("https://pacs/dicom-web?token=secret", "url"),
        ("https://[pacs", "url"),
    ],
)
def test_urls_that_are_refused(url: str, code: str) -> None:
    with pytest.raises(UsageError, check=coded(code)) as error:
        HttpSession(url, Credentials(), Retries(), 1)
    assert "secret" not in str(error.value)


def test_a_url_without_encryption_is_said() -> None:
    with pytest.warns(TMUNetWarning, match="pacs"):
        HttpSession("http://pacs/dicom-web", Credentials(), Retries(), 1)
    HttpSession("https://pacs/dicom-web", Credentials(), Retries(), 1)
    assert origin("https://pacs") != origin("https://pacs:8443")


def test_requests_go_through_the_proxy_of_the_environment(
    archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", archive.url.removesuffix("/dicom-web"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    archive.fail("GET", "pacs.invalid", OK)
    with pytest.warns(TMUNetWarning):
        one = HttpSession("http://pacs.invalid/dicom-web", Credentials(), Retries(attempts=1), 1000)
    assert get(one).body == b"[]"
    assert archive.requests[0][1].startswith("http://pacs.invalid/dicom-web/studies")


def test_a_server_without_a_valid_certificate_is_refused(archive: FakeArchive, tmp_path: Path) -> None:
    waits: list[float] = []
    url = archive.url.replace("http:", "https:")  # speaks no TLS at all
    one = HttpSession(url, Credentials(), Retries(sleep=waits.append), 1000)
    with pytest.raises(ArchiveError, check=coded("tls")):
        get(one)
    assert waits == []
