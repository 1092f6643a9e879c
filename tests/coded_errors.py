"""Errors as programs tell them apart: by class, `code` and the file at fault."""

from collections.abc import Callable
from pathlib import Path

from tmunet.errors import TMUNetError


def coded(code: str, path: Path | None = None) -> Callable[[BaseException], bool]:
    """For `pytest.raises(..., check=coded("size", file))`: an error of this code, and of this file if one is given."""

    def check(error: BaseException) -> bool:
        assert isinstance(error, TMUNetError)
        assert error.code == code, error
        assert path is None or error.path == path, error
        return True

    return check
