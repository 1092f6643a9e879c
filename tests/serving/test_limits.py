"""Limits of bytes, pixels, time and queue, the token, the host, and the end by SIGTERM, at a real server."""

import http.client
import io
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile

from .servers import Server, noise, png, serving

LIMIT = 2_000_000  # of the fixture `server`
MEGABYTE = 1024 * 1024


def chunked_upload(port: int, total: int) -> tuple[bytes, int]:
    """Send zeros in chunks until an answer comes; returns its status line and how many bytes were sent."""
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.settimeout(0.002)
        while sent < total:
            try:
                return connection.recv(4096).splitlines()[0], sent
            except TimeoutError:
                pass
            connection.settimeout(20)
            try:
                connection.sendall(chunk)
            except OSError:
                return b"", sent  # closed; the answer was lost with it
            connection.settimeout(0.002)
            sent += 65536
        connection.settimeout(20)
        return connection.recv(4096).splitlines()[0], sent


def test_a_chunked_upload_over_the_limit_ends_early_in_little_memory(server: Server) -> None:
    with server.client() as client:
        client.post("/predict", content=png(noise(0)))
    before = psutil.Process(server.process.pid).memory_info().rss
    status, sent = chunked_upload(server.port, 200_000_000)
    after = psutil.Process(server.process.pid).memory_info().rss
    assert status == b"HTTP/1.1 413 Content Too Large" or b" 413 " in status
    assert LIMIT < sent < LIMIT + 8 * MEGABYTE  # the buffers of the sockets included
    assert after - before <= 16 * MEGABYTE


def test_a_length_over_the_limit_is_refused_before_the_body(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Length", str(LIMIT + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413


def png_bomb(side: int) -> bytes:
    """A PNG file of a black square, whose header alone is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, rows = zlib.compressobj(9), io.BytesIO()
    for _ in range(side):
        rows.write(packer.compress(bytes(side + 1)))
    rows.write(packer.flush())
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows.getvalue()) + chunk(b"IEND", b"")


def tiff_bomb(side: int) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((side, side), np.uint8), compression="zlib")
    return buffer.getvalue()


@pytest.mark.parametrize("bomb", [png_bomb, tiff_bomb])
def test_a_picture_bomb_is_refused_before_it_is_decoded(server: Server, bomb: object) -> None:
    content = bomb(8000)  # type: ignore[operator]  # 64 megapixels
    assert len(content) < LIMIT
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    with server.client() as client:
        answer = client.post("/predict", content=content)
    assert (answer.status_code, answer.json()["code"]) == (422, "too-large")
    assert process.memory_info().rss - before <= 16 * MEGABYTE
    with server.client() as client:
        assert client.post("/predict", content=bomb(1000)).status_code == 200  # type: ignore[operator]


TOKEN = "a-token-of-more-than-16-characters"


@pytest.fixture(scope="module")
def guarded(models: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a token, a queue of two, and two seconds for a request."""
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    with serving(models[:1], "--backend", "torch", "--queue", 2, "--timeout", 2, "--token-file", file) as one:
        yield one


def hanging(port: int) -> socket.socket:
    """A request whose body never comes."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        + TOKEN.encode()
        + b"\r\nContent-Length: 1000\r\n\r\nx"
    )
    return connection


def test_a_full_queue_answers_503_and_slow_uploads_time_out(guarded: Server) -> None:
    with hanging(guarded.port) as one, hanging(guarded.port) as other, guarded.client(TOKEN) as client:
        end = time.monotonic() + 1.5
        while client.get("/health").json()["in_progress"] < 2 and time.monotonic() < end:
            time.sleep(0.01)
        answer = client.post("/predict", content=png(noise(0)))
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "1")
        for connection in (one, other):
            assert b" 503 " in connection.recv(4096).splitlines()[0]
        assert client.get("/health").json()["in_progress"] == 0
        assert client.post("/predict", content=png(noise(0))).status_code == 200


def test_a_client_that_goes_away_leaves_the_queue(guarded: Server) -> None:
    hanging(guarded.port).close()
    with guarded.client(TOKEN) as client:
        end = time.monotonic() + 1.5
        while client.get("/health").json()["in_progress"] and time.monotonic() < end:
            time.sleep(0.01)
        assert client.get("/health").json()["in_progress"] == 0


def test_the_host_of_another_site_is_refused(server: Server) -> None:
    with server.client() as client:
        for host, status in (("evil.example", 400), ("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:8000", 200)):
            assert client.get("/health", headers={"Host": host}).status_code == status


def test_a_token_opens_what_a_wrong_one_does_not(guarded: Server) -> None:
    with guarded.client() as client:
        assert client.get("/health").status_code == client.get("/v2/health/ready").status_code == 200
        for path in ("/metrics", "/openapi.json", "/v2", "/v2/models/two"):
            assert client.get(path).status_code == 401
        answer = client.post("/predict", content=png(noise(0)))
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        for wrong in ("Bearer", f"Bearer {TOKEN}a", f"Basic {TOKEN}", "Bearer é".encode()):
            assert client.get("/v2", headers={"Authorization": wrong}).status_code == 401
    with guarded.client(TOKEN) as client:
        assert client.post("/predict", content=png(noise(0))).status_code == 200
        assert client.get("/metrics").status_code == 200
    assert TOKEN not in guarded.log.read_text()


def test_sigterm_finishes_what_runs(models: tuple[Path, Path]) -> None:
    with serving(models[:1], "--backend", "torch") as server:
        content = png(noise(3, 900, 900))
        with server.client() as client:
            expected = client.post("/predict", content=content).content
        started = threading.Barrier(7)

        def ask() -> tuple[int, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            connection.putrequest("POST", "/predict")
            connection.putheader("Content-Length", str(len(content)))
            connection.endheaders()
            connection.send(content[:-1])
            time.sleep(0.5)  # it is in progress
            started.wait()
            time.sleep(0.5)  # the signal has come
            connection.send(content[-1:])
            answer = connection.getresponse()
            return answer.status, answer.read()

        with ThreadPoolExecutor(6) as pool:
            asked = [pool.submit(ask) for _ in range(6)]
            started.wait()
            assert server.stop() == 0
            assert [one.result() for one in asked] == [(200, expected)] * 6
        with pytest.raises(OSError):  # noqa: PT011
            socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_the_log_has_routes_but_neither_names_nor_contents(server: Server) -> None:
    secret = "patient-smith"
    with server.client() as client:
        client.post("/predict", files={secret: (f"{secret}.png", png(noise(0)))})
        client.post("/predict", files={secret: (f"{secret}.png", secret.encode())})
        client.post(f"/predict?model={secret}", content=secret.encode())
        client.post(f"/v2/models/{secret}/infer", content=f'{{"id": "{secret}"}}')
        client.get(f"/{secret}")
        client.request(secret.upper(), "/predict")
        metrics = client.get("/metrics").text
    log = server.log.read_text()
    assert "POST /predict 200" in log
    assert "POST /v2/models/{name}/infer 404" in log
    assert secret not in (log + metrics).lower()
