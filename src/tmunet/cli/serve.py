"""`tmunet serve`: segment images over HTTP."""

import logging
import re
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tmunet.cli.parser import parse
from tmunet.cli.process_setup import prepare_process
from tmunet.errors import UsageError
from tmunet.prediction.backends.names import BackendChoice

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ServeConfig:
    """Segment images over HTTP: POST /predict, and /v2 of the Open Inference Protocol."""

    models: list[str] = field(default_factory=list)
    """Run or model folders, or user/name on the Hugging Face Hub; by default nuclei-t. A model has its folder's name."""
    host: str = "127.0.0.1"
    """Address to listen at; one that other machines reach needs --token-file."""
    port: int = 8000
    """Port to listen at; 0 takes a free one."""
    token_file: str | None = None
    """File with a token that requests must carry: Authorization: Bearer TOKEN."""
    backend: BackendChoice = "auto"
    """auto: the fastest of PyTorch and OpenVINO (or else ONNX Runtime) on a CPU, as measured at start, if installed."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    tile_size: int | None = None
    """Sliding window with tiles of this many pixels, at the scale of the training images, instead of resizing."""
    tta: bool = False
    """Test-time augmentation: average over the flips of the training augmentation."""
    max_bytes: int = 32 * 1024 * 1024
    """Largest body of a request."""
    max_pixels: int = 16 * 1024 * 1024
    """Most pixels of an image, by its header, before it is decoded."""
    timeout: float = 60.0
    """Seconds for a request, the upload included."""
    queue: int = 32
    """Requests in progress; more are answered with 503."""
    page: str | None = None
    """Serve only the web page in this folder, as export --format web writes it; it computes in the browser."""


def run(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl-C; requests in progress are finished."""
    config = parse(
        ServeConfig,
        arguments,
        "serve",
        words={"models": "run or model folders, nuclei-t, or user/name on the Hugging Face Hub"},
    )
    prepare_process()
    if config.page is not None:
        return _serve_page(config, Path(config.page))
    from tmunet.extras import require

    for package in ("fastapi", "uvicorn", "python_multipart"):
        require(package, extra="serve")
    import uvicorn

    from tmunet.prediction.predictor import DEFAULT_MODEL
    from tmunet.serving.app import create_app
    from tmunet.serving.engine import choose_engine
    from tmunet.serving.guard import read_token
    from tmunet.serving.limits import Limits
    from tmunet.serving.segmentation import Service

    token = None if config.token_file is None else read_token(Path(config.token_file))
    if token is None and config.host not in LOOPBACK:
        raise UsageError(
            f"Expected --token-file for the host {config.host}, which other machines reach; or use --host 127.0.0.1.",
            code="token",
        )
    limits = Limits(config.max_bytes, config.max_pixels, config.timeout, config.queue)
    names = _names(config.models or [DEFAULT_MODEL])
    with _listen(config.host, config.port) as listener:
        service = Service(
            [
                choose_engine(name, model, config.backend, config.device, config.tile_size, config.tta)
                for name, model in names.items()
            ],
            limits,
        )
        for engine in service.engines.values():
            print(
                f"{engine.name}: {engine.predictor.backend}, {engine.threads} threads, batches of {engine.batch_size}, "
                f"{1000 * engine.seconds:.0f} ms an image"
            )
        listener.listen(1024)
        _say_where(listener)
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(service, token, LOOPBACK if token is None else ()),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=int(config.timeout) + 1,
            )
        )
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # `Guard` logs, without what was sent
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # uvicorn raises it again once it has stopped: that is success
        server.run(sockets=[listener])
    return 0


def _serve_page(config: ServeConfig, folder: Path) -> int:
    """Serve a web page until Ctrl-C; who reaches it gets its files, and nothing is sent to it."""
    from tmunet.serving.static_page import PageServer

    if config.models:
        raise UsageError(
            f"Expected no models beside --page, but got: {', '.join(config.models)}; leave out one.", code="models"
        )
    with _listen(config.host, config.port) as listener, PageServer(folder, listener) as server:
        _say_where(listener)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def _say_where(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    print(f"Serving at http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)


def _names(models: Sequence[str]) -> dict[str, str]:
    """Name each model by the last part of its path, without what an address or a metric cannot hold.

    >>> _names(["runs/a b", "nuclei-t"])
    {'a-b': 'runs/a b', 'nuclei-t': 'nuclei-t'}
    """
    names = {re.sub(r"[^A-Za-z0-9._-]+", "-", Path(model).resolve().name): model for model in models}
    if len(names) < len(models):
        raise UsageError(f"Expected models of different folder names, but got: {', '.join(models)}.", code="models")
    return names


def _listen(host: str, port: int) -> socket.socket:
    """Bind before the models are measured, so that a port in use is told at once."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        raise UsageError(f"Cannot listen at {host}, port {port}: {error}.", code="address") from None
    return listener
