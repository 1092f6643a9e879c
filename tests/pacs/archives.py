"""A small DICOMweb archive in this process, which can be told to fail."""

import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pydicom
from pydicom import Dataset

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class FakeArchive:
    """What it holds, what it was asked, and replies that come instead of the right ones, each once.

    Attributes:
        held: files by SOP Instance UID.
        requests: method, path and headers of each request.
        replies: for a method and a pattern of the path, what to answer next; None closes the connection.
        lose_answer: store as asked, and close the connection without an answer, so many times.
    """

    url: str = ""
    held: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    replies: list[tuple[str, str, Reply | None]] = field(default_factory=list)
    lose_answer: int = 0

    def add(self, dataset: Dataset) -> Dataset:
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        self.held[str(dataset.SOPInstanceUID)] = buffer.getvalue()
        return dataset

    def fail(self, method: str, path: str, *replies: Reply | None) -> None:
        self.replies += [(method, path, reply) for reply in replies]

    def count(self, method: str, path: str = "") -> int:
        return sum(one == method and re.search(path, where) is not None for one, where, _ in self.requests)

    def datasets(self) -> list[Dataset]:
        return [pydicom.dcmread(io.BytesIO(content)) for content in self.held.values()]

    def segmentations(self) -> list[Dataset]:
        return [one for one in self.datasets() if one.Modality == "SEG"]

    def answer(self, method: str, target: str, body: bytes) -> Reply | None:
        for number, (kind, pattern, reply) in enumerate(self.replies):
            if kind == method and re.search(pattern, target):
                del self.replies[number]
                return reply
        parts = urlsplit(target)
        words = parts.path.removeprefix("/dicom-web").strip("/").split("/")
        if method == "POST":
            return self._store(body)
        if words[-1] == "metadata":
            return _json([_header(one) for one in self.datasets() if one.SeriesInstanceUID == words[3]])
        if len(words) == 3:
            query = parse_qs(parts.query)
            start, count = int(query["offset"][0]), int(query["limit"][0])
            found = [one for one in self.datasets() if one.StudyInstanceUID == words[1]][start : start + count]
            return _json([_header(one) for one in found]) if found else (204, {}, b"")
        content = self.held.get(words[5])
        if content is None:
            return 404, {}, b""
        message = b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--edge--\r\n"
        return 200, {"Content-Type": 'multipart/related; type="application/dicom"; boundary=edge'}, message

    def _store(self, body: bytes) -> Reply | None:
        start = body.index(b"\r\n\r\n") + 4
        content = body[start : body.rindex(b"\r\n--")]
        uid = str(pydicom.dcmread(io.BytesIO(content)).SOPInstanceUID)
        assert uid not in self.held or self.lose_answer == 0
        self.held.setdefault(uid, content)
        if self.lose_answer:
            self.lose_answer -= 1
            return None
        return _json({"00081198": {"vr": "SQ"}, "00081199": {"vr": "SQ", "Value": [{}]}})


def _json(content: Any) -> Reply:
    return 200, {"Content-Type": "application/dicom+json"}, json.dumps(content).encode()


def _header(dataset: Dataset) -> dict[str, Any]:
    """DICOM JSON, but for sequences and pixels; of any value, as a real archive repeats what it was given."""
    plain = [one for one in dataset if one.VR not in ("SQ", "OB", "OW")]
    return {f"{one.tag:08X}": {"vr": one.VR, "Value": [str(one.value)]} for one in plain}


@contextmanager
def fake_archive() -> Iterator[FakeArchive]:
    archive = FakeArchive()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def reply(self) -> None:
            archive.requests.append((self.command, self.path, dict(self.headers)))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = archive.answer(self.command, self.path, body)
            if reply is None:
                return
            status, headers, content = reply
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    setattr(Handler, "do_GET", Handler.reply)  # noqa: B010  # names that http.server calls
    setattr(Handler, "do_POST", Handler.reply)  # noqa: B010

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    archive.url = f"http://127.0.0.1:{server.server_port}/dicom-web"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
