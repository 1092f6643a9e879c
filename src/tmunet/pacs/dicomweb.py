"""Client of a DICOMweb archive (PS3.18): QIDO-RS finds instances, WADO-RS retrieves them, STOW-RS stores them."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from tmunet.errors import ArchiveError, UsageError
from tmunet.files import write_bytes
from tmunet.pacs.http_session import Answer, Credentials, HttpSession, Retries

_JSON = "application/dicom+json"
_DICOM = 'multipart/related; type="application/dicom"'
_PAGE = 500  # instances in an answer of QIDO-RS
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_MAX_UID = 64

SOP_INSTANCE = "00080018"
"""Tag of the SOP Instance UID in DICOM JSON."""

_SOP_CLASS, _MODALITY, _SERIES = "00080016", "00080060", "0020000E"
_FAILED, _FAILURE_REASON = "00081198", "00081197"


@dataclass(frozen=True)
class Instance:
    """An instance of a study, by its UIDs; modality and SOP class are empty where the archive does not tell."""

    study: str
    series: str
    uid: str
    sop_class: str
    modality: str

    @property
    def path(self) -> str:
        """Its resource in an archive."""
        return f"/studies/{self.study}/series/{self.series}/instances/{self.uid}"


class Archive:
    """A DICOMweb archive.

    Args:
        url: of the service, such as ``https://pacs/dicom-web``.
        credentials: token and certificate.
        retries: bounds of waiting.
        max_bytes: of one answer, so of one instance.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials | None = None,
        retries: Retries | None = None,
        max_bytes: int = 512 * 10**6,
    ) -> None:
        self._http = HttpSession(url, credentials or Credentials(), retries or Retries(), max_bytes)
        self.url = self._http.url

    def find_instances(self, study: str) -> Iterator[Instance]:
        """Find the instances of a study, page by page; none if the archive does not hold it.

        Raises:
            ArchiveError: no answer, or one that is not DICOMweb.
        """
        check_uid(study, "study")
        seen: set[str] = set()
        while True:
            params = {"limit": _PAGE, "offset": len(seen), "includefield": [_MODALITY, _SOP_CLASS]}
            answer = self._http.request("GET", f"/studies/{study}/instances", {"Accept": _JSON}, params)
            if answer.status in (204, 404):
                return
            found = [self._instance(study, item) for item in self._json_list(answer)]
            new = [one for one in found if one.uid not in seen]
            if not new:  # also of an archive that takes no notice of the offset
                return
            for one in new:
                if one.uid not in seen:
                    seen.add(one.uid)
                    yield one

    def _instance(self, study: str, item: Any) -> Instance:
        series, uid = text_of(item, _SERIES), text_of(item, SOP_INSTANCE)
        if not is_uid(series) or not is_uid(uid):
            raise self._no_dicomweb("an instance without valid UIDs")
        return Instance(study, series, uid, text_of(item, _SOP_CLASS), text_of(item, _MODALITY))

    def metadata(self, study: str, series: str) -> list[Any]:
        """Retrieve the headers of a series, without pixels, as DICOM JSON (PS3.18, F.2), one for each instance.

        Raises:
            ArchiveError: no answer, or one that is not DICOMweb.
        """
        answer = self._http.request("GET", f"/studies/{study}/series/{series}/metadata", {"Accept": _JSON})
        return self._json_list(answer)

    def retrieve(self, instance: Instance, path: Path) -> None:
        """Retrieve an instance, as it is stored, into a file.

        Raises:
            ArchiveError: no answer, no single instance in it, or more bytes than allowed.
        """
        answer = self._http.request("GET", instance.path, {"Accept": f"{_DICOM}; transfer-syntax=*"})
        self._check_status(answer)
        write_bytes(path, self._only_part(answer))

    def _only_part(self, answer: Answer) -> bytes:
        head = Message()
        head["Content-Type"] = answer.headers.get("Content-Type", "")
        if head.get_content_type() == "application/dicom":  # some archives send the file as it is
            return answer.body
        boundary = head.get_boundary()
        if head.get_content_type() != "multipart/related" or not boundary:
            raise self._no_dicomweb("no multipart/related")
        marker = f"--{boundary}".encode("latin-1", "replace")
        first, last = answer.body.find(marker), answer.body.rfind(b"\r\n" + marker + b"--")
        start = answer.body.find(b"\r\n\r\n", first)
        if first < 0 or start < 0 or last < start + 2:
            raise self._no_dicomweb("a multipart message that is cut short")
        content = answer.body[start + 4 : last]
        if b"\r\n" + marker + b"\r\n" in content:
            raise self._no_dicomweb("several instances where one was asked for")
        return content

    def store(self, study: str, uid: str, path: Path) -> None:
        """Store a file in a study.

        A request that failed may have been done, such as one whose answer was lost; so the archive is asked whether it holds the
        instance before that counts as a fault.

        Args:
            study: Study Instance UID of the file.
            uid: SOP Instance UID of the file.
            path: the file.

        Raises:
            ArchiveError: it was not stored.
        """
        try:
            self._store(study, path)
        except ArchiveError as error:
            if error.code in ("denied", "tls", "unreachable") or uid not in {
                one.uid for one in self.find_instances(study)
            }:
                raise

    def _store(self, study: str, path: Path) -> None:
        content = path.read_bytes()
        boundary = uuid.uuid4().hex
        body = b"".join(
            (
                f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode(),
                content,
                f"\r\n--{boundary}--\r\n".encode(),
            )
        )
        headers = {"Accept": _JSON, "Content-Type": f"{_DICOM}; boundary={boundary}"}
        answer = self._http.request("POST", f"/studies/{study}", headers, body=body)
        said = self._json(answer) if answer.body.lstrip().startswith(b"{") else {}
        failed = said.get(_FAILED) if isinstance(said, dict) else None
        # an archive may list no failures by an empty sequence, and state a failure with the status 200
        items = failed.get("Value") if isinstance(failed, dict) else None
        if items and isinstance(items, list):
            raise ArchiveError(
                f"{self.url}: refused to store {path.name}, with the failure reason {text_of(items[0], _FAILURE_REASON) or '?'} "
                "(PS3.18, table I.2-2).",
                code="refused",
                status=answer.status,
            )
        self._check_status(answer)

    def _check_status(self, answer: Answer) -> None:
        if not 200 <= answer.status < 300:
            raise ArchiveError(
                f"{self.url}: answers {answer.status} to a request of DICOMweb. Check the URL: it ends before /studies.",
                code="http",
                status=answer.status,
            )

    def _json_list(self, answer: Answer) -> list[Any]:
        self._check_status(answer)
        found = self._json(answer) if answer.body.strip() else []
        if not isinstance(found, list):
            raise self._no_dicomweb("JSON that is no list of instances")
        return found

    def _json(self, answer: Answer) -> Any:
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise self._no_dicomweb("something else than JSON") from None

    def _no_dicomweb(self, found: str) -> ArchiveError:
        return ArchiveError(
            f"{self.url}: expected an answer of DICOMweb, but got {found}. Check the URL: it ends before /studies.",
            code="answer",
        )


def is_uid(text: str) -> bool:
    """Check whether a text is a UID (PS3.5, 9.1); components that begin with 0 are let pass.

    >>> is_uid("1.2.840.10008"), is_uid("../../etc"), is_uid("")
    (True, False, False)
    """
    return len(text) <= _MAX_UID and _UID.fullmatch(text) is not None


def check_uid(text: str, what: str) -> None:
    """Check a UID that the user gave.

    Raises:
        UsageError: it is none (code "uid").
    """
    if not is_uid(text):
        raise UsageError(
            f"Expected the UID of a {what}: at most {_MAX_UID} digits and dots, such as 1.2.840.113619.2.", code="uid"
        )


def text_of(item: Any, tag: str) -> str:
    """The first value of an attribute in DICOM JSON, as text; empty where there is none."""
    attribute = item.get(tag) if isinstance(item, dict) else None
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    first = values[0] if isinstance(values, list) and values else None
    return str(first).strip() if isinstance(first, str | int) else ""
