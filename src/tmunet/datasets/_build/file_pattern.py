"""Patterns of file names: wildcards, and ``{name}`` for what an image and its mask share."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import PurePosixPath

from tmunet.errors import UsageError

_GLOB = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
_WILD = re.compile(r"(\*\*/|\*|\?|\{name\})")


@dataclass(frozen=True)
class FilePattern:
    """Glob pattern of paths: ``*`` and ``?`` within a name, ``**/`` for folders of any depth, ``{name}`` for the case name.

    Paths are relative to the source, with forward slashes; brackets have no special regexes.

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
            raise UsageError(f"Expected {{name}} at most once in a pattern, but got {self.text!r}.", code="value")

    @property
    def has_name(self) -> bool:
        """Whether ``{name}`` stands in it."""
        return "{name}" in self.text

    @property
    def wildcards(self) -> int:
        """How many ``*``, ``?`` and ``**/`` it has."""
        return len(_WILD.findall(self.text)) - self.has_name

    def name(self, path: PurePosixPath) -> str | None:
        """Give what ``{name}`` matches in a path, or None if the path does not match.

        A pattern without ``{name}`` gives the path below its fixed folder, without suffix.
        """
        match = re.fullmatch(self._expression, str(path))
        if match is None:
            return None
        if self.has_name:
            return match["name"]
        return path.relative_to(self._fixed_folder).with_suffix("").as_posix()

    def captured(self, path: PurePosixPath) -> tuple[str, ...]:
        """Give what each wildcard matches in a path that matches, in order.

        >>> FilePattern("*/img/{name}.png").captured(PurePosixPath("day 1/img/7.png"))
        ('day 1',)
        """
        match = re.fullmatch(self._expression, str(path))
        return () if match is None else tuple(match[f"w{number}"].rstrip("/") for number in range(self.wildcards))

    def matches_ignoring_case(self, path: PurePosixPath) -> bool:
        """Check whether a path matches when case is ignored."""
        return re.fullmatch(self._expression, str(path), re.IGNORECASE) is not None

    @cached_property
    def _expression(self) -> str:
        name = "(?P<name>.+)" if self.deep else "(?P<name>[^/]+)"
        parts, number = [], 0
        for part in _WILD.split(PurePosixPath(self.text).as_posix()):
            if part in _GLOB:
                parts.append(f"(?P<w{number}>{_GLOB[part]})")
                number += 1
            else:
                parts.append(name if part == "{name}" else re.escape(part))
        return "".join(parts)

    @cached_property
    def _fixed_folder(self) -> PurePosixPath:
        folders = PurePosixPath(self.text).parent.parts
        wild = next((place for place, folder in enumerate(folders) if re.search(r"[*?]", folder)), len(folders))
        return PurePosixPath(*folders[:wild])


def suggest_patterns(pairs: Mapping[PurePosixPath, PurePosixPath]) -> tuple[str, str]:
    """Suggest the patterns of images and masks that fit pairs of files.

    >>> suggest_patterns({PurePosixPath("scans/7_img.jpg"): PurePosixPath("labels/7_seg.png")})
    ('scans/{name}_img.jpg', 'labels/{name}_seg.png')
    """
    image, mask = next(iter(pairs.items()))
    block = SequenceMatcher(None, image.stem, mask.stem, autojunk=False).find_longest_match()
    name = image.stem[block.a : block.a + block.size].strip("_-. ")
    stems = [stem.replace(name, "{name}", 1) if name else "*" for stem in (image.stem, mask.stem)]
    if not name:
        stems[0] = "{name}"
    images, masks = pairs.keys(), pairs.values()
    return _pattern(images, stems[0]), _pattern(masks, stems[1])


def _pattern(files: Iterable[PurePosixPath], stem: str) -> str:
    every = list(files)
    suffixes = {file.suffix for file in every}
    if len({len(file.parts) for file in every}) > 1:
        folder = "**/"
    else:
        levels = zip(*(file.parent.parts for file in every), strict=True)
        folder = "".join(f"{names[0] if len(set(names)) == 1 else '*'}/" for names in levels)
    return f"{folder}{stem}{suffixes.pop() if len(suffixes) == 1 else '.*'}"
