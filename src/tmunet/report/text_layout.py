"""Names from files as a page or a picture can show them: with nothing invisible, and cut to the room there is."""

import unicodedata
from collections.abc import Callable, Iterator

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
CUT = "…"
_HAS = frozenset(map(chr, range(32, 127))) | {CUT, "·"}  # the letters of Pillow's own font, and no others


def escape_control(text: str) -> str:
    r"""Show what cannot be seen or written, such as a line feed or a turn of the direction of writing, as an escape.

    >>> print(escape_control("scan\n1"))
    scan\n1
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text)


def to_ascii(text: str) -> str:
    r"""Write a text with the letters of Pillow's own font: accents are left away, other signs become escapes.

    >>> print(to_ascii("Müller 患"))
    Muller \u60a3
    """
    plain = (sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return "".join(sign if sign in _HAS else sign.encode("unicode_escape").decode("ascii") for sign in plain)


def ellipsize(text: str, fits: Callable[[str], bool]) -> str:
    """Take letters out of the middle of a text, as few as need be, until it fits.

    >>> ellipsize("benign_mass_0001", lambda text: len(text) <= 9)
    'beni…0001'
    """
    if fits(text):
        return text
    low, high = 0, len(text) - 1  # letters that are kept: `low` fit, more than `high` do not
    while low < high:
        kept = (low + high + 1) // 2
        low, high = (kept, high) if fits(_cut(text, kept)) else (low, kept - 1)
    return _cut(text, low)


def _cut(text: str, kept: int) -> str:
    return text[: (kept + 1) // 2] + CUT + text[len(text) - kept // 2 :]


def within(font: Font, width: float) -> Callable[[str], bool]:
    """Ask whether a text of one line is at most so many pixels wide."""
    return lambda text: font.getlength(text) <= width


def wrapped(text: str, fits: Callable[[str], bool], lines: int) -> list[str]:
    """Break a text into lines, at spaces where possible; what is too much is cut off.

    >>> wrapped("the file is empty", lambda text: len(text) <= 8, lines=2)
    ['the file', 'is empty']
    >>> wrapped("the file is quite empty", lambda text: len(text) <= 8, lines=2)
    ['the file', 'is quit…']
    """
    broken = list(_lines(text, fits))
    if len(broken) <= lines:
        return broken
    last = broken[lines - 1]
    while last and not fits(last + CUT):
        last = last[:-1]
    return [*broken[: lines - 1], last + CUT]


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
