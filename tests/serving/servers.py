"""A real `tmunet serve` process, and the images that are sent to it."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np
from PIL import Image


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    url: str
    output: str = ""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, token: str | None = None) -> httpx2.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx2.Client(base_url=self.url, timeout=60, headers=headers, trust_env=False)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Stop it; returns the exit code, and keeps what it wrote."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        self.output += self.process.communicate(timeout=60)[0]
        return self.process.returncode


@contextmanager
def serving(models: Sequence[Path], *flags: object) -> Iterator[Server]:
    """Start `tmunet serve` at a free port, and stop it at the end."""
    words = [*map(str, models), "--port", "0", *map(str, flags)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tmunet", "serve", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
    )
    server = Server(process, "")
    assert process.stdout is not None
    for line in process.stdout:
        server.output += line
        if found := re.search(r"http://\S+:\d+", line):
            server.url = found.group()
            break
    assert server.url, server.output
    try:
        yield server
    finally:
        server.stop()


def noise(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    """An image (H, W, 3), uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))
