"""Faults of a data set import: each with a kind, a path and a hint; the report groups them by kind and caps them."""

from collections.abc import Sequence
from tmunet.errors import DataError, InputError

_MAX_SHOWN = 8  # faults of a kind, and
_MAX_HINTS = 3  # hints of a kind, as in the report of `tmunet check`


class Fault(str):
    """One fault, as its sentence.

    Attributes:
        kind: stable name, such as "missing-mask"; the same for all faults of its kind.
        path: the file or case it is about; may be empty.
        message: what was expected and what was found.
        hint: what to do about it.
    """

    kind: str
    path: str
    message: str
    hint: str

    def __new__(cls, kind: str, path: object, message: str, hint: str = "") -> "Fault":
        """Join path, message and hint to the sentence."""
        place = f"{path}: " if str(path) else ""
        fault = super().__new__(cls, f"{place}{message}; {hint}." if hint else f"{place}{message}")
        fault.kind, fault.path, fault.message, fault.hint = kind, str(path), message, hint
        return fault


class ConversionError(InputError):
    """An image or a mask that cannot be converted; `fault` says why."""

    def __init__(self, kind: str, path: object, message: str, hint: str) -> None:
        self.fault = Fault(kind, path, message, hint)
        super().__init__(str(self.fault))


class DatasetImportError(DataError):
    """Every fault of an import in one report; no data set was written.

    Args:
        where: the source, as the user named it.
        faults: all of them; the text of the error shows at most eight of a kind.
    """

    faults: tuple[Fault, ...]

    def __init__(self, where: object, faults: Sequence[Fault]) -> None:
        super().__init__(str(where), faults)
        self._where = str(where)

    def __str__(self) -> str:
        """Report the faults by kind, in the order in which the kinds were found."""
        kinds: dict[str, list[Fault]] = {}
        for fault in self.faults:
            kinds.setdefault(fault.kind, []).append(fault)
        count = f"{len(self.faults):,} fault{'' if len(self.faults) == 1 else 's'} found"
        lines = [f"{self._where}: {count}; no data set was written."]
        for kind, faults in kinds.items():
            lines.append(f"FAULT {kind} ({len(faults):,})")
            lines += _capped([f"{f.path}: {f.message}" if f.path else f.message for f in faults], _MAX_SHOWN, "  ")
            lines += _capped(list(dict.fromkeys(f.hint for f in faults if f.hint)), _MAX_HINTS, "  -> ")
        return "\n".join(lines)


def _capped(lines: Sequence[str], limit: int, prefix: str) -> list[str]:
    more = [f"{prefix}... and {len(lines) - limit:,} more"] if len(lines) > limit else []
    return [*(f"{prefix}{line}" for line in lines[:limit]), *more]
