"""Errors as the server answers them, for OpenAPI."""

from typing import Any

from pydantic import BaseModel


class ErrorAnswer(BaseModel):
    """What is wrong."""

    error: str
    """For people."""
    code: str
    """Short stable word for programs."""


_MEANINGS = {
    400: "The body is not what it says, or the header Host names another machine.",
    401: "The token is missing or wrong.",
    404: "There is no such model.",
    413: "The body is larger than the limit.",
    415: "The file is not a PNG, JPEG, BMP or TIFF image.",
    422: "The image or a parameter does not fit.",
    503: "The server is busy or the time is over: try again after Retry-After seconds.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": meaning} for status, meaning in _MEANINGS.items()
}
OPEN: dict[int | str, dict[str, Any]] = {status: ERRORS[status] for status in (400, 401)}
