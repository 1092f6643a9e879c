"""The errors of tmunet: each says what is wrong, where, what was expected and what to do."""

from collections.abc import Sequence

from tmunet.text import pluralize


class TMUNetError(Exception):
    """Base of every error that tmunet raises on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 3


class UsageError(TMUNetError):
    """A command, flag, configuration key or value that does not exist or does not fit."""

    exit_code = 2


class InputError(TMUNetError):
    """A file or an array that cannot be read or is not what the call needs."""


class DataError(InputError):
    """Every fault of a data set in one report.

    Args:
        where: the data set, as the user named it.
        faults: one line for each fault: the file, what was found, what was expected, what to do.
    """

    def __init__(self, where: str, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            "\n".join(
                [
                    f"{where}: {pluralize(len(self.faults), 'fault')} found; nothing was changed.",
                    *(f"  - {f}" for f in self.faults),
                ]
            )
        )


class ModelError(TMUNetError):
    """A model folder or checkpoint that is missing, damaged, unsafe or of another kind."""


class BackendError(TMUNetError):
    """A backend that cannot run a network, or not on this device or in this precision."""


class NonFiniteLossError(TMUNetError):
    """The training loss or its gradient became infinite or NaN."""


class InterruptedRunError(TMUNetError):
    """A run was stopped by a signal; its last finished epoch is saved."""

    exit_code = 130


class MissingExtraError(TMUNetError):
    """An optional package is not installed; the message names the extra that brings it."""

    exit_code = 4


class TMUNetWarning(UserWarning):
    """Something legal that the user should know about the data or the run."""
