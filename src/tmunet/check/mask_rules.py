"""What single masks hold that they should not."""

from collections.abc import Iterator, Sequence

from tmunet.check.findings import Finding
from tmunet.check.inspect import Look
from tmunet.check.mask_stats import MaskFacts
from tmunet.data.cases import DatasetInfo
from tmunet.data.io.masks import FEW_VALUES, UNCLEAR, advice
from tmunet.data.io.palettes import MEND, find_conflict
from tmunet.metrics.functional import MIN_OBJECT_PIXELS

_DARK, _BRIGHT = 63, 192


def about_masks(looks: Sequence[Look], info: DatasetInfo | None) -> Iterator[Finding]:
    """Findings about every mask that could be decoded; values are judged only if the classes are known."""
    seen = _seen_values(looks)
    for look in looks:
        if look.mask is not None and look.mask_file is not None:
            yield from _about_mask(look.mask_file.file, look.name, look.mask, info, seen)
    yield from _about_palettes(looks)


def _about_palettes(looks: Sequence[Look]) -> Iterator[Finding]:
    masks = {look.mask_file.file: look for look in looks if look.mask is not None and look.mask_file is not None}
    conflict = find_conflict((file, look.mask.legend) for file, look in masks.items() if look.mask is not None)
    if conflict is not None:
        yield Finding(
            "palettes-differ",
            "fault",
            f"{_sentence(conflict.message)}.",
            f"{_sentence(MEND)}.",
            conflict.files,
            tuple(masks[file].name for file in conflict.files),
        )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _seen_values(looks: Sequence[Look]) -> frozenset[tuple[int, ...]]:
    """The sets of values that masks hold, as far as they are few enough to be labels."""
    masks = [look.mask for look in looks if look.mask is not None]
    return frozenset(mask.values for mask in masks if 0 < len(mask.values) <= FEW_VALUES)


def _about_mask(
    file: str, case: str, mask: MaskFacts, info: DatasetInfo | None, seen: frozenset[tuple[int, ...]]
) -> Iterator[Finding]:
    if mask.is_image:
        yield Finding(
            "mask-is-image",
            "fault" if mask.refusal else "warning",
            "The mask holds the very pixels of its image.",
            "Replace it by the mask; the image was probably saved or copied under its name.",
            (file,),
            (case,),
        )
    elif mask.refusal is not None:
        yield _refused(file, case, mask, info, seen)
    if mask.ignored:
        yield Finding(
            "all-ignored",
            "warning",
            "Every pixel is marked to be ignored, so the case counts nowhere.",
            "Draw the mask, or leave the case out of the split.",
            (file,),
            (case,),
        )
    elif mask.shares is not None and not any(mask.shares.values()):
        yield Finding(
            "empty-mask",
            "note",
            "No pixel belongs to a class besides the background.",
            "Nothing, if there is nothing on the image; otherwise draw the mask.",
            (file,),
            (case,),
        )
    elif mask.shares and (full := [name for name, share in mask.shares.items() if share == 1]):
        yield Finding(
            "full-mask",
            "warning",
            f"Every pixel is {full[0]}.",
            "Look at the case: foreground and background may be swapped, or the mask was filled by a slip.",
            (file,),
            (case,),
        )
    if mask.specks is not None:
        one = mask.specks.count == 1
        yield Finding(
            "specks",
            "warning",
            f"{mask.specks.count} speck{'' if one else 's'} of "
            f"{'' if one else 'at most '}{mask.specks.pixels} px beside parts of typically {mask.specks.typical:,} px.",
            "Look at them: slips of the brush spoil distances (HD, HD95) and, from "
            f"{MIN_OBJECT_PIXELS} px on, counts of objects. Erase them in the mask.",
            (file,),
            (case,),
        )


def _refused(
    file: str, case: str, mask: MaskFacts, info: DatasetInfo | None, seen: frozenset[tuple[int, ...]]
) -> Finding:
    if mask.refusal == "inverted":
        kind, message = "mask-inverted", "This TIFF declares that 0 is white, and programs disagree what that means."
        mend = "Open it, look which pixels are foreground, and save it as PNG."
    elif mask.refusal == "transparent":
        kind, message = (
            "mask-transparent",
            f"The mask has transparent pixels, so its labels may lie there: {mask.found}.",
        )
        mend = "Save it as a gray or palette PNG without alpha."
    elif mask.refusal == "colors":
        kind, message = "mask-colors", f"Expected one label for each pixel, but found colors: {mask.found}."
        mend = "Say which color is which class and save labels, as a gray or palette PNG."
    elif mask.refusal == "palette":
        kind, message, mend = "palette-unclear", f"{_sentence(mask.found)}.", UNCLEAR
    else:
        assert info is not None
        fixable = len(info.classes) == 2 and info.ignore_label is None and _is_unambiguous(mask.values, seen)
        return Finding(
            "mask-gray" if len(mask.values) > FEW_VALUES else "mask-values",
            "fault",
            f"Expected {_expected(info)}, but found {mask.found}.",
            "`tmunet check DATA --fix COPY` writes 0 and 255: each value is near one of them."
            if fixable
            else advice(mask.values, info.classes, info.ignore_label),
            (file,),
            (case,),
            fixable,
        )
    return Finding(kind, "fault", message, mend, (file,), (case,))


def _is_unambiguous(values: tuple[int, ...], seen: frozenset[tuple[int, ...]]) -> bool:
    """Whether only one reading as background and foreground is possible.

    Either there are two values, 0 and one that no mask of the data set holds beside a third; or dark and bright values with
    nothing in between, and of each more than one, as JPEG leaves them around an edge. 0, 1 and 255 are not read so: there
    255 often means "ignore".
    """
    if len(values) == 2 and values[0] == 0:
        return all({*other} <= {*values} or {*other} <= {0, 255} for other in seen)
    dark, bright = [v for v in values if v <= _DARK], [v for v in values if _BRIGHT <= v <= 255]
    return len(dark) > 1 and len(bright) > 1 and len(dark) + len(bright) == len(values)


def _expected(info: DatasetInfo) -> str:
    if len(info.classes) == 2 and info.ignore_label is None:
        return f"a mask of {info.classes[0]} and {info.classes[1]} with the values {{0, 1}} or {{0, 255}}"
    ignored = f" or {info.ignore_label} (ignore)" if info.ignore_label is not None else ""
    return f"labels 0 to {len(info.classes) - 1}{ignored} for the {len(info.classes)} classes"
