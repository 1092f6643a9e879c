"""A real `tmunet serve` process, and the images that are sent to it."""

import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np
from PIL import Image


@dataclass
class Server:
    """A running server; `log` is the file of what it writes."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, token: str | None = None) -> httpx2.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx2.Client(base_url=self.url, timeout=60, headers=headers, trust_env=False)

    def stop(self) -> int:
        """Stop it by SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def serving(models: Sequence[Path], *flags: object) -> Iterator[Server]:
    """Start `tmunet serve` at a free port, and stop it at the end."""
    words = [*map(str, models), "--port", "0", *map(str, flags)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.txt"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tmunet", "serve", *words],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
            )
        try:
            while not (found := re.search(r"http://\S+:\d+\n", log.read_text())):
                assert process.poll() is None, log.read_text()
                time.sleep(0.02)
            server = Server(process, found.group().strip(), log)
            yield server
        finally:
            process.terminate()
            process.wait(60)


def noise(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    """An image (H, W, 3), uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))
