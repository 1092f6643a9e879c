"""HTTP to an archive: token and certificate from files, proxies of the environment, bounded answers, retries with backoff.

Nothing of an answer's body gets into a message: it may hold patient data.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tmunet.errors import ArchiveError, InputError, TMUNetWarning, UsageError
from tmunet.extras import require
from tmunet.text import pluralize

EXTRA = "pacs"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_BLOCK = 2**18
_TIMEOUTS = (10, 120)  # seconds to connect, and without a byte
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True)
class Retries:
    """How often and how long to wait for an archive that is busy or away.

    Answers of 5xx, broken connections and timeouts are tried again, and 429 where the archive says when; other 4xx never are.

    Attributes:
        attempts: requests at most, the first one included.
        first_wait: seconds before the second request; doubled each time.
        longest_wait: seconds; an archive that asks for more by Retry-After is given up.
        sleep: waits for some seconds.
    """

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 120.0
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Credentials:
    """What an archive asks for; none of it is shown anywhere.

    Attributes:
        authorization: value of the header Authorization.
        certificate: PEM file of the client's certificate and its key.
    """

    authorization: str | None = None
    certificate: Path | None = None

    def __repr__(self) -> str:
        return "Credentials(...)"


def read_token(path: Path) -> str:
    """Read a token file: one line, a bearer token, or a whole value such as ``Basic dXNlcjpwYXNzd29yZA==``.

    Returns:
        Value of the header Authorization.

    Raises:
        InputError: the file cannot be read (code "unreadable") or does not hold one line of ASCII (code "token").
    """
    try:
        text = path.read_text("ascii").strip()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.", code="unreadable", path=path) from None
    except UnicodeDecodeError:
        text = ""
    words = text.split(" ")
    if not text.isprintable() or not all(words) or len(words) > 2:
        raise InputError(
            f"{path}: expected one line: a token, or a scheme and its value such as 'Basic dXNlcjpwYXNz'.",
            code="token",
            path=path,
        ) from None
    return text if len(words) == 2 else f"Bearer {text}"


@dataclass(frozen=True)
class Answer:
    """An answer whose body was read to the end, within the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpSession:
    """Requests below one URL.

    Args:
        url: of the DICOMweb service, such as ``https://pacs/dicom-web``.
        credentials: sent to this URL only; redirections are not followed.
        retries: bounds.
        max_bytes: of the body of an answer, after decompression.

    Raises:
        UsageError: no http or https URL (code "url"), or one that holds a password (code "password").
        MissingExtraError: requests is not installed.

    Warns:
        TMUNetWarning: the URL is not encrypted, and of another machine.
    """

    def __init__(self, url: str, credentials: Credentials, retries: Retries, max_bytes: int) -> None:
        self.url, self._retries, self._max_bytes = check_url(url), retries, max_bytes
        _warn_unencrypted(self.url)
        self._requests: Any = require("requests", EXTRA)
        self._session = self._requests.Session()
        self._session.auth = self._authorize  # set also without a token, so that ~/.netrc is not read
        self._authorization = credentials.authorization
        if (certificate := credentials.certificate) is not None:
            if not certificate.is_file():
                raise InputError(f"{certificate}: there is no such file.", code="unreadable", path=certificate)
            self._session.cert = str(certificate)

    def __repr__(self) -> str:
        return f"HttpSession({self.url!r})"

    def _authorize(self, request: Any) -> Any:
        if self._authorization is not None:
            request.headers["Authorization"] = self._authorization
        return request

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request, again where that may help.

        Args:
            method: GET or POST.
            path: below the URL, with a slash in front.
            headers: of the request.
            params: of the query.
            body: of the request.

        Returns:
            The answer of any status but 3xx, 401, 403, 429 and 5xx.

        Raises:
            ArchiveError: none of the attempts was answered so, or the answer is beyond the limit.
        """
        wait = self._retries.first_wait
        for attempt in range(1, self._retries.attempts + 1):
            asked: float | None = None
            fault: ArchiveError | None
            try:
                answer = self._send(method, path, headers, params, body)
            except _UnreachableError as error:
                fault = ArchiveError(
                    f"{self.url}: {error} after {pluralize(attempt, 'attempt')}. Check the URL, the network and the proxy.",
                    code="unreachable",
                )
            else:
                fault, asked = self._fault(answer, attempt), retry_after(answer.headers)
                if fault is None:
                    return answer
                if answer.status < 500 and not (answer.status == TOO_MANY_REQUESTS and asked is not None):
                    raise fault
            pause = min(wait, self._retries.longest_wait) if asked is None else asked
            if attempt == self._retries.attempts or pause > self._retries.longest_wait:
                raise fault
            self._retries.sleep(pause)
            wait *= 2
        raise AssertionError("the last attempt returns or raises")

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], params: Mapping[str, Any] | None, body: bytes | None
    ) -> Answer:
        errors = self._requests.exceptions
        try:
            with self._session.request(
                method,
                self.url + path,
                headers=dict(headers),
                params=params,
                data=body,
                timeout=_TIMEOUTS,
                stream=True,
                allow_redirects=False,
            ) as response:
                content = bytearray()
                for block in response.iter_content(_BLOCK):
                    content += block
                    if len(content) > self._max_bytes:
                        raise ArchiveError(
                            f"{self.url}: expected an answer of at most {self._max_bytes:,} bytes, but it is larger; "
                            "raise --max-mb.",
                            code="too-large",
                            status=response.status_code,
                        )
                return Answer(response.status_code, response.headers, bytes(content))
        except errors.SSLError:
            raise ArchiveError(
                f"{self.url}: its certificate cannot be verified. If your site has its own authority, name its certificate in "
                "the environment variable REQUESTS_CA_BUNDLE.",
                code="tls",
            ) from None
        except errors.Timeout:
            raise _UnreachableError("timed out") from None
        except (errors.ConnectionError, errors.ChunkedEncodingError, errors.ContentDecodingError):
            raise _UnreachableError("the connection failed") from None
        except (errors.RequestException, OSError, ValueError) as error:  # such as a certificate without a key
            raise ArchiveError(
                f"{self.url}: the request cannot be sent ({type(error).__name__}). Check URL, proxy and certificate.",
                code="unreachable",
            ) from None

    def _fault(self, answer: Answer, attempt: int) -> ArchiveError | None:
        """What is wrong with the status of an answer; statuses of 4xx other than these mean something to the caller."""
        status = answer.status
        if status in (401, 403):
            text, code = f"it answers {status}: access is denied. Check --token-file and --client-cert", "denied"
        elif 300 <= status < 400:
            text, code = f"it answers {status}, a redirection, which is not followed: name the URL it leads to", "http"
        elif status >= 500 or status == TOO_MANY_REQUESTS:
            text, code = f"it answers {status} after {pluralize(attempt, 'attempt')}; try later", "http"
        else:
            return None
        return ArchiveError(f"{self.url}: {text}.", code=code, status=status)


class _UnreachableError(Exception):
    """No answer, or a part of one."""


def check_url(url: str) -> str:
    """Check the URL of an archive, and return it without a slash at its end."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "Expected a URL without user and password, which other users of this machine could read; use --token-file.",
            code="password",
        )
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise UsageError(
            "Expected the URL of a DICOMweb service, such as https://pacs.example.org/dicom-web, without a query.",
            code="url",
        )
    return url.rstrip("/")


def _warn_unencrypted(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        warnings.warn(
            f"{url}: http is not encrypted: patient data and token can be read on the way; use https.",
            TMUNetWarning,
            stacklevel=3,
        )


def origin(url: str) -> tuple[str, str | None, int]:
    """Scheme, host and port of a URL.

    >>> origin("https://pacs/a") == origin("https://PACS:443/b"), origin("http://pacs/a") == origin("https://pacs/a")
    (True, False)
    """
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the header Retry-After asks to wait, as a number or as a date (RFC 9110, 10.2.3); None without it.

    >>> retry_after({"Retry-After": "7"}), retry_after({"Retry-After": "soon"}), retry_after({})
    (7.0, None, None)
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
