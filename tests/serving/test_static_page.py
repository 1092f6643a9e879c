"""The web page behind `tmunet serve --page`."""

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tmunet.errors import UsageError
from tmunet.serving.static_page import PageServer

from ..coded_errors import coded


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    folder.mkdir()
    for name in ("index.html", "model.json", "main.js", "ort.wasm", "page.css"):
        (folder / name).write_text(name)
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def address(page: Path) -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    with PageServer(page, listener) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "name", "kind"),
    [
        ("/", "index.html", "text/html"),
        ("/main.js", "main.js", "text/javascript"),
        ("/ort.wasm", "ort.wasm", "application/wasm"),
        ("/page.css", "page.css", "text/css"),
    ],
)
def test_files_have_the_types_that_browsers_ask_for(address: str, path: str, name: str, kind: str) -> None:
    with urllib.request.urlopen(address + path, timeout=10) as answer:
        assert answer.headers["Content-Type"] == kind
        assert answer.read() == name.encode()


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/no.js"])
def test_nothing_else_is_served(address: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(address + path, timeout=10)
    assert error.value.code == 404


def test_an_upload_is_refused(address: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(address, data=b"image", timeout=10)
    assert error.value.code == 501


def test_another_folder_is_no_page(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        with pytest.raises(UsageError, check=coded("page", tmp_path)):
            PageServer(tmp_path, listener)
