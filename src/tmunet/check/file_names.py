"""What the names of the files tell: missing partners, names that clash, files that nobody will look at."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from tmunet.check.files import Listing, relative
from tmunet.check.findings import Finding
from tmunet.data.cases import natural_key
from tmunet.data.io.images import IMAGE_SUFFIXES

_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def about_names(images: Listing, masks: Listing) -> Iterator[Finding]:
    """Findings of the two listings; no file is opened."""
    for listing in (images, masks):
        yield from _about_folder(listing)
    of_images, of_masks = images.by_name(), masks.by_name()
    if images.trouble is None and not of_images:
        suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
        yield Finding(
            "no-images",
            "fault",
            f"Expected files with the suffixes {suffixes}, but the folder holds none.",
            "Put the images there, or import the data set: `tmunet import`.",
            ("images",),
        )
    if images.trouble is None and masks.trouble is None:
        yield from _without_partner("missing-mask", of_images, of_masks)
        yield from _without_partner("missing-image", of_masks, of_images)
    yield from _clashes(of_images, of_masks)


def _about_folder(listing: Listing) -> Iterator[Finding]:
    if listing.trouble is not None:
        yield Finding(
            "missing-folder",
            "fault",
            f"Expected a folder of images, but it cannot be listed: {listing.trouble}.",
            "A data set is a folder with `images/` and `masks/`; make one of other layouts with `tmunet import`.",
            (listing.folder.name,),
        )
    for path in listing.impostors:
        yield Finding(
            "not-a-file",
            "fault",
            "Expected an image, but this is a folder, a broken link or a loop of links.",
            "Remove it, rename it or mend the link.",
            relative([path]),
            (path.stem,),
            fixable=True,
        )
    for name, paths in listing.by_name().items():
        if len(paths) > 1:
            yield Finding(
                "same-name",
                "fault",
                f"Expected one file for the case {name!r}, but found {len(paths)}.",
                "Keep one of them.",
                relative(paths),
                (name,),
            )
    for path in (*listing.pictures, *listing.impostors):
        if reason := _not_portable(path):
            yield Finding(
                "unportable-name",
                "warning",
                f"The name {reason}; it cannot be copied to every computer.",
                "Rename the image and the mask alike; letters, digits, `-` and `_` are safe.",
                relative([path]),
                (path.stem,),
            )
    for suffix, group in groupby(sorted(listing.passed_over, key=_kind), key=_kind):
        passed = tuple(group)
        yield Finding(
            "passed-over",
            "warning",
            f"{suffix}: {len(passed):,} passed over, since only {', '.join(sorted(IMAGE_SUFFIXES))} are read.",
            "Convert them (PNG keeps every value), take them out of folders inside, or move them elsewhere.",
            relative(passed),
        )


def _kind(path: Path) -> str:
    if path.is_dir():
        return "folders"
    ending = "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix
    return f"files with the suffix {ending.lower()}" if ending else "files without a suffix"


def _without_partner(
    kind: str, these: Mapping[str, Sequence[Path]], others: Mapping[str, Sequence[Path]]
) -> Iterator[Finding]:
    partner = "mask" if kind == "missing-mask" else "image"
    lonely = sorted(others.keys() - these.keys(), key=natural_key)
    for name in sorted(these.keys() - others.keys(), key=natural_key):
        near = next((other for other in lonely if _near(name, other)), None)
        hint = "" if near is None else f" {relative(others[near])[0]} has none either: its name is nearly the same."
        yield Finding(
            kind,
            "fault",
            f"Expected {'an' if partner == 'image' else 'a'} {partner} of the same name, {partner}s/{name}.png or the like, but "
            f"there is none.{hint}",
            f"Add the {partner}, or give both the same name; `tmunet import folders` pairs other names by a pattern.",
            relative(these[name]),
            (name,),
            fixable=True,
        )


def _near(name: str, other: str) -> bool:
    """Whether two names differ by case, by Unicode form, or by an ending such as ``_mask``."""
    a, b = sorted((_folded(name), _folded(other)), key=len)
    return a == b or re.fullmatch(rf"{re.escape(a)}[ _.-]+[a-z]+", b) is not None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _clashes(images: Mapping[str, Sequence[Path]], masks: Mapping[str, Sequence[Path]]) -> Iterator[Finding]:
    alike: dict[str, set[str]] = {}
    for folder in (images, masks):
        together: dict[str, list[str]] = {}
        for name in folder:
            together.setdefault(_folded(name), []).append(name)
        for folded, names in together.items():
            if len(names) > 1:
                alike.setdefault(folded, set()).update(names)
    for clashing in alike.values():
        names = sorted(clashing, key=natural_key)
        yield Finding(
            "name-clash",
            "warning",
            f"The names {', '.join(map(ascii, names))} differ only by case or by Unicode form: on Windows and macOS "
            "one file takes the place of the other.",
            "Rename one of them, the image and the mask alike.",
            relative([path for folder in (images, masks) for name in names for path in folder.get(name, ())]),
            tuple(names),
        )


def _not_portable(path: Path) -> str | None:
    if found := _FORBIDDEN.search(path.name):
        return f"holds the character {found[0]!r}"
    if any("\ud800" <= letter <= "\udfff" for letter in path.name):
        return "is not valid UTF-8"
    if path.stem != path.stem.strip() or path.stem.endswith("."):
        return "has a space at an end of it, or a dot before that of the suffix"
    return "is a device on Windows" if _RESERVED.fullmatch(path.name) else None
