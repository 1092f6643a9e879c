"""Serve the web page of `tmunet export --format web`: files of one folder, with the types that browsers ask for."""

import os
import socket
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tmunet.errors import UsageError

TYPES = {".js": "text/javascript", ".wasm": "application/wasm"}


class PageServer(ThreadingHTTPServer):
    """Serve a folder through a socket that is bound already.

    Args:
        folder: with index.html and model.json.
        listener: the socket.

    Raises:
        UsageError: the folder holds no page (code "page").
    """

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        if not (folder / "index.html").is_file() or not (folder / "model.json").is_file():
            raise UsageError(
                f"{folder}: expected a folder written by `tmunet export --format web`, but found no index.html or model.json "
                "in it.",
                code="page",
                path=folder,
            )
        address = listener.getsockname()
        super().__init__(address[:2], partial(_Handler, directory=str(folder)), bind_and_activate=False)
        self.socket.close()
        self.socket, self.server_address = listener, address
        self.server_activate()


class _Handler(SimpleHTTPRequestHandler):
    def guess_type(self, path: "str | os.PathLike[str]") -> str:
        """Return the type of a file; the registry of Windows may call scripts plain text, and browsers run no such module."""
        return TYPES.get(Path(path).suffix) or super().guess_type(path)

    def log_message(self, *_: object) -> None:
        """Log nothing: the command shows what matters."""
