"""Find out from the names of files which are images and which are their masks: folders, suffixes, extensions.

A *reading* is one way to tell images from masks: by the folder (``images/``, ``masks/``), by the name (``7.png``,
``7_mask.png``), by the extension (``7.jpg``, ``7.png``), by the content (one of two folders holds a few values only). In a reading,
images and masks are paired by the words of their paths that say no role, from the strictest key to the loosest; the first key
that pairs every file is right, since a looser one that pairs all of them without repeats gives the same pairs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tmunet.data.cases import natural_key
from tmunet.datasets._build.path_words import MASK_WORDS, SIDE_WORDS, names_of, words_of

Key = tuple[object, ...]
_JPEG = frozenset((".jpg", ".jpeg"))


@dataclass(frozen=True)
class Reading:
    """One way to tell images from masks.

    Attributes:
        how: "folder", "name", "extension" or "content".
        pairs: the masks of each image, at least one.
        lonely_images: images without mask.
        lonely_masks: masks without image.
        left_out: files that are neither, such as masks by a second observer, with the reason.
    """

    how: str
    pairs: Mapping[PurePosixPath, tuple[PurePosixPath, ...]]
    lonely_images: tuple[PurePosixPath, ...] = ()
    lonely_masks: tuple[PurePosixPath, ...] = ()
    left_out: Mapping[str, tuple[PurePosixPath, ...]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every image has a mask, and every mask an image."""
        return bool(self.pairs) and not self.lonely_images and not self.lonely_masks


def common_folder(files: Iterable[PurePosixPath]) -> PurePosixPath:
    """The innermost folder that holds all files; its name says nothing about any of them."""
    parents = [file.parent.parts for file in files]
    shared: list[str] = []
    for parts in zip(*parents, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return PurePosixPath(*shared)


def find_readings(files: Sequence[PurePosixPath], has_few_values: Callable[[PurePosixPath], bool]) -> list[Reading]:
    """Find the ways to read a folder of images and masks.

    Args:
        files: all image files, relative to the source.
        has_few_values: looks into a file, to tell a mask from an image; called only where names do not say it.

    Returns:
        The complete readings with different pairs: one, or several where it is ambiguous. Without a complete one, the reading
        that pairs the most, or none.
    """
    root = common_folder(files)
    inner = {file: file.relative_to(root) for file in files}
    extra = tuple(file for file in files if any(words_of(part).is_extra for part in _parts(inner[file])))
    inner = {file: path for file, path in inner.items() if file not in set(extra)}
    by_folder = _roles_by_folder(inner)
    by_name = {file: "mask" if words_of(path.stem).is_mask else "image" for file, path in inner.items()}
    by_both = {file: "mask" if "mask" in (by_name[file], by_folder.get(file)) else "image" for file in inner}
    found = [
        _pair(how, roles, inner)
        for how, roles in (("folder", by_folder), ("name", by_name), ("folder", by_both))
        if {"image", "mask"} <= set(roles.values())
    ]
    if not any(reading.pairs for reading in found):
        found += _by_extension(inner)
    if not any(reading.pairs for reading in found):
        found += _by_content(inner, has_few_values)
    complete: list[Reading] = []
    for reading in found:
        if reading.is_complete and all(reading.pairs != other.pairs for other in complete):
            complete.append(reading)
    chosen = complete or sorted((one for one in found if one.pairs), key=_faults)[:1]
    reason = "by their names neither image nor mask"
    return [_with_left_out(reading, {reason: extra} if extra else {}) for reading in chosen]


def _faults(reading: Reading) -> tuple[int, int]:
    return len(reading.lonely_images) + len(reading.lonely_masks), -len(reading.pairs)


def _with_left_out(reading: Reading, more: Mapping[str, tuple[PurePosixPath, ...]]) -> Reading:
    left_out = {**reading.left_out, **more}
    return Reading(reading.how, reading.pairs, reading.lonely_images, reading.lonely_masks, left_out)


def _parts(path: PurePosixPath) -> tuple[str, ...]:
    return (*path.parent.parts, path.stem)


def _roles_by_folder(inner: Mapping[PurePosixPath, PurePosixPath]) -> dict[PurePosixPath, str]:
    """Role of the innermost folder that says one; files in folders that say none are images, if no folder says "image"."""
    roles: dict[PurePosixPath, str] = {}
    unknown = []
    for file, path in inner.items():
        told = [words for part in reversed(path.parent.parts) if (words := words_of(part)).is_mask or words.is_image]
        if told:
            roles[file] = "mask" if told[0].is_mask else "image"
        else:
            unknown.append(file)
    if "image" not in roles.values():
        roles |= dict.fromkeys(unknown, "image")
    return roles


def _by_extension(inner: Mapping[PurePosixPath, PurePosixPath]) -> list[Reading]:
    """JPEG files are images, the lossless files of the same names beside them are masks."""
    roles = {file: "image" if file.suffix.lower() in _JPEG else "mask" for file in inner}
    if set(roles.values()) != {"image", "mask"}:
        return []
    return [_pair("extension", roles, inner)]


def _by_content(
    inner: Mapping[PurePosixPath, PurePosixPath], has_few_values: Callable[[PurePosixPath], bool]
) -> list[Reading]:
    """Of two places with files of the same names, the one whose files hold few values has the masks; both ways if it is unclear.

    A place is a folder, or an extension in one folder.
    """
    places: dict[object, list[PurePosixPath]] = defaultdict(list)
    for file in inner:
        places[file.parent].append(file)
    if len(places) == 1:
        places.clear()
        for file in inner:
            places[file.suffix.lower()].append(file)
    if len(places) != 2:
        return []
    first, second = places.values()
    if {file.stem for file in first} != {file.stem for file in second}:
        return []
    few = [_look(group, has_few_values) for group in (first, second)]
    orders = [(first, second), (second, first)]
    if few[0] != few[1]:
        orders = [(second, first)] if few[0] else [(first, second)]
    return [
        _pair("content", {**dict.fromkeys(images, "image"), **dict.fromkeys(masks, "mask")}, inner)
        for images, masks in orders
    ]


def _look(group: Sequence[PurePosixPath], has_few_values: Callable[[PurePosixPath], bool]) -> bool:
    """Whether a few files of a place, taken all over it, hold few values each."""
    step = max(1, len(group) // 5)
    return all(has_few_values(file) for file in group[::step][:5])


def _pair(
    how: str, roles: Mapping[PurePosixPath, str], inner: Mapping[PurePosixPath, PurePosixPath]
) -> Reading:
    """Pair images with masks by the first key that leaves none alone, or else by the one that leaves the fewest."""
    images = [file for file, role in roles.items() if role == "image"]
    masks, left_out = _choose_kinds([file for file, role in roles.items() if role == "mask"], inner)
    best: Reading | None = None
    for key in (*_KEYS, _per_folder):
        reading = _match(how, images, masks, inner, key)
        if reading is not None and (best is None or _faults(reading) < _faults(best)):
            best = reading
        if best is not None and best.is_complete:
            break
    if best is None:
        return Reading(how, {}, tuple(images), tuple(masks), left_out)
    return _with_left_out(_without_unlabeled_folders(best), left_out)


def _folders(path: PurePosixPath, subset: bool) -> tuple[str, ...]:
    return tuple(name for part in path.parent.parts for name in names_of(words_of(part).all, subset))


def _subset(path: PurePosixPath) -> str | None:
    return next((found for part in reversed(path.parent.parts) if (found := words_of(part).subset)), None)


def _by_path(path: PurePosixPath, words: tuple[str, ...]) -> Key:
    return (_folders(path, True), names_of(words, True))


def _by_path_without_subset(path: PurePosixPath, words: tuple[str, ...]) -> Key:
    return (_subset(path), _folders(path, False), names_of(words, False))


def _by_subset_and_last_folder(path: PurePosixPath, words: tuple[str, ...]) -> Key:
    return (_subset(path), _folders(path, False)[-1:], names_of(words, False))


def _by_subset(path: PurePosixPath, words: tuple[str, ...]) -> Key:
    return (_subset(path), names_of(words, False))


def _by_stem(path: PurePosixPath, words: tuple[str, ...]) -> Key:
    return (names_of(words, True),)


def _by_stem_without_subset(path: PurePosixPath, words: tuple[str, ...]) -> Key:
    return (names_of(words, False),)


def _per_folder(path: PurePosixPath, words: tuple[str, ...]) -> Key:
    """The folder of one case, such as ``ID/`` of ``ID/images/ID.png`` and ``ID/masks/HASH.png``."""
    parts = path.parent.parts
    inside = next((place for place, part in enumerate(parts) if words_of(part).is_mask or words_of(part).is_image), None)
    return parts[:inside]


_KEYS = (_by_path, _by_path_without_subset, _by_subset_and_last_folder, _by_subset, _by_stem, _by_stem_without_subset)


def _match(
    how: str,
    images: Sequence[PurePosixPath],
    masks: Sequence[PurePosixPath],
    inner: Mapping[PurePosixPath, PurePosixPath],
    key: Callable[[PurePosixPath, tuple[str, ...]], Key],
) -> Reading | None:
    """Pair by a key; None if two images have the same."""
    image_of: dict[Key, PurePosixPath] = {}
    for file in images:
        if image_of.setdefault(key(inner[file], words_of(inner[file].stem).all), file) != file:
            return None
    pairs: dict[PurePosixPath, list[PurePosixPath]] = {}
    lonely = []
    for file in masks:
        words = words_of(inner[file].stem)
        # "benign (1)_mask_1" is the second mask of "benign (1)"
        keys = (key(inner[file], words.all), key(inner[file], words.before_mask))
        image = next((image_of[one] for one in keys if one in image_of), None)
        if image is None:
            lonely.append(file)
        else:
            pairs.setdefault(image, []).append(file)
    found = {image: tuple(sorted(pairs[image], key=_natural)) for image in images if image in pairs}
    return Reading(how, found, tuple(file for file in images if file not in pairs), tuple(lonely))


def _natural(path: PurePosixPath) -> tuple[list[str | int], str]:
    return natural_key(str(path))


def _without_unlabeled_folders(reading: Reading) -> Reading:
    """Leave out folders of images of which none has a mask, such as the test images of a challenge."""
    if reading.lonely_masks or not reading.pairs:
        return reading
    labeled = {image.parent for image in reading.pairs}
    if len(labeled) > len(reading.pairs) / 2:  # a folder a case: one without a mask is a fault
        subsets = {_subset(image) for image in reading.pairs}
        unlabeled = tuple(image for image in reading.lonely_images if _subset(image) not in subsets)
    else:
        unlabeled = tuple(image for image in reading.lonely_images if image.parent not in labeled)
    if not unlabeled:
        return reading
    lonely = tuple(image for image in reading.lonely_images if image not in set(unlabeled))
    return Reading(reading.how, reading.pairs, lonely, (), {"in folders without any masks": unlabeled})


def _choose_kinds(
    masks: Sequence[PurePosixPath], inner: Mapping[PurePosixPath, PurePosixPath]
) -> tuple[list[PurePosixPath], dict[str, tuple[PurePosixPath, ...]]]:
    """Keep the masks of the first observer; masks beside those drawn by observers are of the field of view."""
    ranks = {file: _rank(inner[file]) for file in masks}
    if not any(ranks.values()):
        return list(masks), {}
    left_out = {
        "drawn by a second observer": tuple(file for file in masks if ranks[file] == 2),
        "not drawn by an observer: of the field of view": tuple(file for file in masks if ranks[file] is None),
    }
    if 1 not in ranks.values():
        return list(masks), {}
    return [file for file in masks if ranks[file] == 1], {why: files for why, files in left_out.items() if files}


def _rank(path: PurePosixPath) -> int | None:
    return next((rank for part in reversed(_parts(path)) if (rank := words_of(part).observer) is not None), None)


def several_kinds(reading: Reading) -> dict[tuple[str, ...], list[PurePosixPath]]:
    """Masks by kind, if images have masks of more than one kind that are not the left and the right part of one; else empty.

    Such masks may be of different classes, or by different people; which is meant is not to be seen.
    """
    kinds: dict[tuple[str, ...], list[PurePosixPath]] = defaultdict(list)
    mixed = False
    for image, masks in reading.pairs.items():
        places = {mask: _place(mask, image) for mask in masks}
        mixed = mixed or len(set(places.values())) > 1
        for mask, place in places.items():
            kinds[place].append(mask)
    return dict(kinds) if mixed else {}


def _place(mask: PurePosixPath, image: PurePosixPath) -> tuple[str, ...]:
    """Words of the folders of a mask that its image lacks, without left and right; and those for masks in its name."""
    known = {word for part in image.parent.parts for word in words_of(part).all}
    folders = [word for part in mask.parent.parts for word in words_of(part).all if word not in known]
    stem = [word for word in words_of(mask.stem).all if word in MASK_WORDS]
    return (*(word for word in folders if word not in SIDE_WORDS), "/", *stem, mask.suffix.lower())
