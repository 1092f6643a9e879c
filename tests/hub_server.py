"""A Hugging Face Hub on this machine: the calls of huggingface_hub that push and pull a model, over HTTP, in memory."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    """Commits by hash, in their order, and the names that point at them."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit_of(self, revision: str) -> str | None:
        return self.refs.get(revision, revision if revision in self.commits else None)


@dataclass
class Hub:
    """What the server holds, and which requests it got: "METHOD path"."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    large_files: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Serve an empty Hub at a free port of this machine."""
    hub = Hub()

    class Bound(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def is_large(name: str) -> bool:
    """Return whether a file is stored beside git, as the Hub does with weights."""
    return name.endswith(".safetensors")


def blob_id(content: bytes) -> str:
    """Hash a file as git does."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    state: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def _answer(self, method: str) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        self.state.requests.append(f"{method} {path}")
        for pattern, call in _CALLS.items():
            wanted, _, rest = pattern.partition(" ")
            if method in wanted.split("|") and (found := re.fullmatch(rest, path)):
                return call(self, body, *map(unquote, found.groups()))
        return self._send(404, {"error": f"no such call: {method} {path}"})

    def _send(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _missing(self, what: str) -> None:
        self._send(404, {"error": what}, {"X-Error-Code": f"{what}NotFound"})

    def _create(self, body: bytes) -> None:
        asked = json.loads(body)
        if self.headers.get("Authorization") != "Bearer write":
            return self._send(401, {"error": "Invalid username or password."})
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.state.repositories:
            return self._send(409, {"url": f"{self.state.url}/{name}"})
        new = Repository(asked.get("visibility") == "private")
        first = hashlib.sha1(name.encode()).hexdigest()
        new.commits[first], new.refs["main"] = {".gitattributes": b""}, first
        self.state.repositories[name] = new
        return self._send(200, {"url": f"{self.state.url}/{name}", "name": name})

    def _validate_yaml(self, body: bytes) -> None:
        content = json.loads(body)["content"]
        good = content.startswith("---\n") and "\nlicense:" in content.split("---")[1]
        self._send(
            200 if good else 400, {"errors": [] if good else [{"message": "license is missing"}], "warnings": []}
        )

    def _refs(self, _: bytes, name: str) -> None:
        there = self.state.repositories[name]
        tags = [
            {"name": ref, "ref": f"refs/tags/{ref}", "targetCommit": commit}
            for ref, commit in there.refs.items()
            if ref != "main"
        ]
        head = {"name": "main", "ref": "refs/heads/main", "targetCommit": there.refs["main"]}
        self._send(200, {"branches": [head], "converts": [], "tags": tags})

    def _preupload(self, body: bytes, _name: str) -> None:
        files = [
            {"path": one["path"], "uploadMode": "lfs" if is_large(one["path"]) else "regular", "shouldIgnore": False}
            for one in json.loads(body)["files"]
        ]
        self._send(200, {"files": files})

    def _batch(self, body: bytes, _name: str) -> None:
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.state.url}/store/{one['oid']}"}}}
            for one in json.loads(body)["objects"]
        ]
        self._send(200, {"transfer": "basic", "objects": objects})

    def _store(self, body: bytes, oid: str) -> None:
        good = hashlib.sha256(body).hexdigest() == oid
        if good:
            self.state.large_files[oid] = body
        self._send(200 if good else 400, {})

    def _commit(self, body: bytes, name: str) -> None:
        there = self.state.repositories[name]
        files = dict(there.commits[there.refs["main"]])
        for line in body.splitlines():
            one = json.loads(line)
            value = one["value"]
            if one["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif one["key"] == "lfsFile":
                files[value["path"]] = self.state.large_files[value["oid"]]
        commit = hashlib.sha1(body + str(len(there.commits)).encode()).hexdigest()
        there.commits[commit], there.refs["main"] = files, commit
        url = f"{self.state.url}/{name}/commit/{commit}"
        self._send(200, {"commitUrl": url, "commitOid": commit, "success": True})

    def _tag(self, body: bytes, name: str, revision: str) -> None:
        there = self.state.repositories[name]
        there.refs[json.loads(body)["tag"]] = there.commit_of(revision) or ""
        self._send(200, {})

    def _info(self, _: bytes, name: str, revision: str) -> None:
        there = self.state.repositories.get(name)
        if there is None:
            return self._missing("Repo")
        commit = there.commit_of(revision)
        if commit is None:
            return self._missing("Revision")
        files = [{"rfilename": file} for file in there.commits[commit]]
        return self._send(200, {"id": name, "sha": commit, "siblings": files})

    def _tree(self, _: bytes, name: str, revision: str) -> None:
        there = self.state.repositories[name]
        rows = []
        for path, content in there.commits[there.commit_of(revision) or ""].items():
            row: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": blob_id(content)}
            if is_large(path):
                row["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            rows.append(row)
        self._send(200, rows)

    def _resolve(self, _: bytes, name: str, revision: str, path: str) -> None:
        there = self.state.repositories[name]
        commit = there.commit_of(revision) or ""
        content = there.commits[commit].get(path)
        if content is None:
            return self._missing("Entry")
        etag = hashlib.sha256(content).hexdigest() if is_large(path) else blob_id(content)
        return self._send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": commit})


_NAME = r"([^/]+/[^/]+)"
_CALLS = {
    r"POST /api/repos/create": _Handler._create,
    r"POST /api/validate-yaml": _Handler._validate_yaml,
    rf"GET /api/models/{_NAME}/refs": _Handler._refs,
    rf"POST /api/models/{_NAME}/preupload/main": _Handler._preupload,
    rf"POST /{_NAME}\.git/info/lfs/objects/batch": _Handler._batch,
    r"PUT /store/([0-9a-f]{64})": _Handler._store,
    rf"POST /api/models/{_NAME}/commit/main": _Handler._commit,
    rf"POST /api/models/{_NAME}/tag/([^/]+)": _Handler._tag,
    rf"GET /api/models/{_NAME}/revision/([^/]+)": _Handler._info,
    rf"GET /api/models/{_NAME}/tree/([^/]+)": _Handler._tree,
    rf"GET|HEAD /{_NAME}/resolve/([^/]+)/(.+)": _Handler._resolve,
}
