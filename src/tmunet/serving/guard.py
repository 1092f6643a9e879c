"""Middleware: token, host, metrics and a log line for each request; it names routes, never images or what was sent."""

import hmac
import logging
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tmunet.errors import UsageError
from tmunet.serving.prometheus import ServerMetrics

logger = logging.getLogger("tmunet.serving")

MIN_TOKEN = 16  # characters
OPEN_ROUTES = frozenset({"/health", "/v2/health/live", "/v2/health/ready"})  # what a load balancer asks


def read_token(path: Path) -> str:
    """Read the token of a server from a file.

    Raises:
        UsageError: the file cannot be read, others may read it, or the token is not one word of 16 characters or more.
    """
    try:
        token = path.read_text("ascii").strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{path}: the token cannot be read: {error}.", code="token", path=path) from None
    if mode & (stat.S_IRGRP | stat.S_IROTH) and hasattr(stat, "S_IRGRP") and Path("/").drive == "":
        raise UsageError(f"{path}: other users may read the token; run: chmod 600 {path}", code="token", path=path)
    if len(token) < MIN_TOKEN or len(token.split()) != 1:
        raise UsageError(
            f"{path}: expected a token of one word of {MIN_TOKEN} characters or more; make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe())'",
            code="token",
            path=path,
        )
    return token


class Guard:
    """Ask for the token or check the host, answer what failed inside with JSON, and count and log each request.

    Args:
        app: what is guarded.
        metrics: where requests are counted.
        token: that requests carry as ``Authorization: Bearer TOKEN``; None asks for none.
        hosts: that the header Host may name, without the port, so that a page of another site cannot reach a server of this
            machine by a name of its own (DNS rebinding); empty allows all.
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics, token: str | None, hosts: Sequence[str]) -> None:
        self._app, self._metrics, self._token, self._hosts = app, metrics, token, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        refusal = self._refuse(scope)
        try:
            await (refusal or self._app)(scope, receive, sending)
        except Exception as error:  # its message could quote what was sent
            logger.error("%s in a request", type(error).__name__)
            if not status:
                await _answer(500, "The server failed; its log names the kind of error.", "internal")(
                    scope, receive, sending
                )
        finally:
            seconds = time.perf_counter() - start
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.count_request(route, status)
            self._metrics.seconds.observe(seconds)
            logger.info("%s %s %d %.0f ms", _method(scope["method"]), route, status, 1000 * seconds)

    def _refuse(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").rpartition("]")[0].lstrip("[") or headers.get("host", "").partition(":")[0]
        if self._hosts and host.lower() not in self._hosts:
            return _answer(400, "The header Host names another machine.", "host")
        if self._token is None or scope["path"] in OPEN_ROUTES:
            return None
        given = headers.get("authorization", "").encode("latin-1")
        if hmac.compare_digest(given, f"Bearer {self._token}".encode("latin-1")):
            return None
        return _answer(401, "Expected the header Authorization: Bearer TOKEN.", "token", {"WWW-Authenticate": "Bearer"})


def _answer(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message, "code": code}, status, {"Connection": "close", **(headers or {})})


def _method(method: str) -> str:
    """Name the method; any other word is what the client made up."""
    return method if method in ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH") else "?"
