"""Patterns of file names: ``*`` and ``?`` within a name, ``**/`` for folders of any depth, ``{name}`` for a name to keep."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from tmunet.errors import UsageError

_MEANING = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class FilePattern:
    """A pattern of paths relative to a source, with forward slashes; brackets stand for themselves.

    Attributes:
        text: such as ``"scans/*.jpg"`` or ``"patients/{name}/mask.png"``.
        deep: whether ``{name}`` may hold slashes.

    Raises:
        UsageError: ``{name}`` stands there twice.

    >>> FilePattern("scans/**/*.jpg").name(PurePosixPath("scans/day 1/7.jpg"))
    'day 1/7'
    >>> FilePattern("scans/{name}_img.jpg").name(PurePosixPath("scans/7_img.jpg"))
    '7'
    >>> FilePattern("scans/*.jpg").name(PurePosixPath("labels/7.jpg")) is None
    True
    """

    text: str
    deep: bool = False

    def __post_init__(self) -> None:
        if self.text.count("{name}") > 1:
            raise UsageError(f"Expected {{name}} at most once in a pattern, but got {self.text!r}.")

    def name(self, path: PurePosixPath) -> str | None:
        """Give what stands for ``{name}`` in a path, or None if the path does not fit.

        A pattern without ``{name}`` gives the path below its fixed folder, without suffix.
        """
        match = re.fullmatch(self._expression, str(path))
        if match is None:
            return None
        if "{name}" in self.text:
            return match["name"]
        return path.relative_to(self._fixed_folder).with_suffix("").as_posix()

    def fits_in_other_case(self, path: PurePosixPath) -> bool:
        """Whether a path fits if capitals and small letters are the same."""
        return re.fullmatch(self._expression, str(path), re.IGNORECASE) is not None

    @cached_property
    def _expression(self) -> str:
        meaning = {**_MEANING, "{name}": "(?P<name>.+)" if self.deep else "(?P<name>[^/]+)"}
        parts = re.split(r"(\*\*/|\*|\?|\{name\})", PurePosixPath(self.text).as_posix())
        return "".join(meaning.get(part, re.escape(part)) for part in parts)

    @cached_property
    def _fixed_folder(self) -> PurePosixPath:
        folders = PurePosixPath(self.text).parent.parts
        wild = next((place for place, folder in enumerate(folders) if re.search(r"[*?]", folder)), len(folders))
        return PurePosixPath(*folders[:wild])
