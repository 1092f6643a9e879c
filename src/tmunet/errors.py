"""Errors of tmunet: what is wrong, where, what was expected, what was found, and what to do."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tmunet.text import pluralize


class TMUNetError(Exception):
    """Base of every error that tmunet raises on purpose.

    Args:
        message: for the user.
        code: which fault it is, a short stable word for programs and tests; by default that of the class.
        path: the file or folder that is at fault.
        paths: all of them, where there are several.

    Attributes:
        exit_code: what the command line returns.
    """

    exit_code = 3
    code = "error"

    def __init__(
        self, message: str = "", *, code: str | None = None, path: str | Path | None = None, paths: Iterable[Path] = ()
    ) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.paths = tuple(paths) or (() if path is None else (Path(path),))

    @property
    def path(self) -> Path | None:
        """The first of `paths`; None where no file is at fault."""
        return self.paths[0] if self.paths else None


class UsageError(TMUNetError):
    """A command, flag, setting or value that does not exist or does not fit."""

    exit_code = 2
    code = "usage"


class InputError(TMUNetError):
    """A file or an array that cannot be read or is not what the call needs."""

    code = "input"


class DataError(InputError):
    """All faults of a data set in one report.

    Args:
        where: the data set, as the user named it.
        faults: one line for each fault: the file, what was found, what was expected, what to do.
    """

    code = "data"

    def __init__(self, where: str, faults: Sequence[str]) -> None:
        self.where, self.faults = where, tuple(faults)
        heading = f"{where}: {pluralize(len(self.faults), 'fault')} found; nothing was changed."
        super().__init__("\n".join([heading, *(f"  - {fault}" for fault in self.faults)]), path=where)

    def __reduce__(self) -> tuple[type["DataError"], tuple[str, tuple[str, ...]]]:
        return type(self), (self.where, self.faults)


class ModelError(TMUNetError):
    """A model folder or checkpoint that is missing, damaged, unsafe or of another kind."""

    code = "model"


class BackendError(TMUNetError):
    """A backend that cannot run a network, or not on this device or in this precision."""

    code = "backend"


class ArchiveError(TMUNetError):
    """A DICOM archive that cannot be reached, refuses a request, or answers something else than DICOMweb.

    Attributes:
        code: "unreachable", "tls", "denied" (401, 403), "http" (another status), "too-large", "answer" (not DICOMweb).
        status: the HTTP status; None without an answer.
    """

    code = "archive"

    def __init__(self, message: str = "", *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message, code=code)
        self.status = status


class NonFiniteLossError(TMUNetError):
    """The training loss or its gradient became infinite or NaN."""

    code = "non-finite-loss"


class InterruptedRunError(TMUNetError):
    """A run was stopped by a signal; its last finished epoch is saved."""

    exit_code = 130
    code = "interrupted"


class WorkerError(TMUNetError):
    """Workers on other machines cannot be reached, or were lost again and again."""

    code = "worker"


class MissingExtraError(TMUNetError):
    """An optional package is not installed; the message names the extra that brings it."""

    exit_code = 4
    code = "missing-extra"


class TMUNetWarning(UserWarning):
    """Something legal that the user should know about the data or the run."""
