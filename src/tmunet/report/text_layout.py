"""Lay out text from files on pages and pictures: escape, convert to ASCII, shorten, wrap."""

import unicodedata
from collections.abc import Callable, Iterator
from pathlib import PurePath

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
ELLIPSIS = "…"
_GLYPHS = frozenset(map(chr, range(32, 127))) | {ELLIPSIS, "·"}  # of Pillow's built-in font


def escape_control(text: str) -> str:
    r"""Escape control characters and other characters that cannot be seen, such as a change of the writing direction.

    >>> print(escape_control("scan\n1"))
    scan\n1
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text)


def to_ascii(text: str) -> str:
    r"""Convert a text to the glyphs of Pillow's built-in font: accents are dropped, other characters become escapes.

    >>> print(to_ascii("Müller 患"))
    Muller \u60a3
    """
    plain = (sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return "".join(sign if sign in _GLYPHS else sign.encode("unicode_escape").decode("ascii") for sign in plain)


def short_fault(fault: str) -> str:
    """Shorten the path that a fault begins with to its folder and file.

    >>> short_fault("nuclei/images/12.png: the file is empty (0 bytes); copy it again from its source.")
    'images/12.png: the file is empty (0 bytes); copy it again from its source.'
    """
    path, colon, rest = fault.partition(": ")
    return f"{'/'.join(PurePath(path).parts[-2:])}{colon}{rest}" if colon else fault


def fits_width(font: Font, width: float) -> Callable[[str], bool]:
    """Make a test of whether a line of text is at most so many pixels wide."""
    return lambda text: font.getlength(text) <= width


def ellipsize(text: str, fits: Callable[[str], bool]) -> str:
    """Shorten a text in the middle, by as few characters as needed, until it fits.

    >>> ellipsize("benign_mass_0001", lambda text: len(text) <= 9)
    'beni…0001'
    """
    if fits(text):
        return text
    low, high = 0, len(text) - 1  # characters kept: `low` fit, more than `high` do not
    while low < high:
        kept = (low + high + 1) // 2
        low, high = (kept, high) if fits(_cut(text, kept)) else (low, kept - 1)
    return _cut(text, low)


def _cut(text: str, kept: int) -> str:
    return text[: (kept + 1) // 2] + ELLIPSIS + text[len(text) - kept // 2 :]


def wrap(text: str, fits: Callable[[str], bool], lines: int) -> list[str]:
    """Wrap a text, at spaces where possible, and cut it after so many lines.

    >>> wrap("the file is empty", lambda text: len(text) <= 8, lines=2)
    ['the file', 'is empty']
    >>> wrap("the file is quite empty", lambda text: len(text) <= 8, lines=2)
    ['the file', 'is quit…']
    """
    broken = list(_lines(text, fits))
    if len(broken) <= lines:
        return broken
    last = broken[lines - 1]
    while last and not fits(last + ELLIPSIS):
        last = last[:-1]
    return [*broken[: lines - 1], last + ELLIPSIS]


def _lines(text: str, fits: Callable[[str], bool]) -> Iterator[str]:
    line = ""
    for word in text.split():
        if line and not fits(f"{line} {word}"):
            yield line
            line = ""
        line = f"{line} {word}".strip()
        while len(line) > 1 and not fits(line):  # a word that is wider than a line
            end = next(end for end in range(len(line) - 1, 0, -1) if end == 1 or fits(line[:end]))
            yield line[:end]
            line = line[end:]
    if line:
        yield line
