"""Limits of requests: bytes, pixels, seconds, and how many are in progress; what exceeds one is refused early."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from tmunet.errors import UsageError


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Args:
        max_bytes: of the body of a request.
        max_pixels: that an image may declare, of up to four channels.
        timeout: seconds for the whole of a request, the upload included.
        queue: requests in progress; more are asked to come again.

    Raises:
        UsageError: a value is not above 0.
    """

    max_bytes: int = 32 * 1024 * 1024
    max_pixels: int = 16 * 1024 * 1024
    timeout: float = 60.0
    queue: int = 32

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise UsageError(f"Expected `{name}` to be above 0, but got {value}.", code="value")


class RequestError(Exception):
    """A request that is refused.

    Args:
        status: of HTTP.
        message: for people.
        code: short stable word for programs.
        close: the connection too, since the rest of the body will not be read.
    """

    def __init__(self, status: int, message: str, code: str, close: bool = False) -> None:
        super().__init__(message)
        self.status, self.code, self.close = status, code, close

    @property
    def headers(self) -> dict[str, str]:
        """Of the response."""
        retry = {"Retry-After": "1"} if self.status == 503 else {}
        return {**retry, **({"Connection": "close"} if self.close else {})}


class Admission:
    """Count the requests in progress, and refuse those beyond the limit before their bodies are read.

    Attributes:
        count: requests in progress.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.count = limit, 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Count a request while it is in progress.

        Raises:
            RequestError: 503, there are as many as may be.
        """
        if self.count >= self.limit:
            raise RequestError(503, f"{self.count} requests are in progress; try again.", "busy", close=True)
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Limit the time of a request; raises a `RequestError` 503 after it."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise RequestError(503, f"The request took more than {seconds:g} seconds.", "timeout", close=True) from None


async def read_body(request: Request, limit: int) -> bytes:
    """Read the body of a request; with Content-Length or chunked, no more than the limit is read.

    Raises:
        RequestError: 413, the body is larger than `limit` bytes; 400, the client went away.
    """
    return b"".join([chunk async for chunk in _stream(request, limit)])


async def _stream(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    too_large = RequestError(413, f"Expected a body of at most {limit:,} bytes.", "too-large", close=True)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 20 or int(length) > limit):  # int() refuses 4300 digits
        raise too_large
    found = 0
    try:
        async for chunk in request.stream():
            found += len(chunk)
            if found > limit:
                raise too_large
            yield chunk
    except ClientDisconnect:
        raise RequestError(400, "The client closed the connection.", "disconnected", close=True) from None


async def read_upload(request: Request, limit: int) -> bytes:
    """Read an uploaded file: the only file of a multipart form, or else the whole body. It is kept in memory, never on disk.

    Raises:
        RequestError: 413 as for `read_body`; 400, the form is damaged or has not one file.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await read_body(request, limit)
    parser = MultiPartParser(request.headers, _stream(request, limit), max_files=1, max_fields=8)
    parser.spool_max_size = limit + 1
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeError) as error:
        reason = getattr(error, "message", "it has no boundary, or names that are not text")
        raise RequestError(400, f"The multipart form cannot be read: {reason}", "form", close=True) from None
    try:
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        if len(files) != 1:
            raise RequestError(400, f"Expected a form with one file, but got {len(files)}.", "form")
        return await files[0].read()
    finally:
        await form.close()
