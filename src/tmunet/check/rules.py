"""Table of the findings of `tmunet check`: kind, severity, message, hint. The rules that yield them are in `*_rules.py`."""

from dataclasses import dataclass
from typing import Any

from tmunet.check.findings import Finding, Severity
from tmunet.data.io.masks import AMBIGUOUS_HINT
from tmunet.data.training_stats import SMALL_PART
from tmunet.metrics.functional import MIN_OBJECT_PIXELS

_GROUPED = "Split anew with `tmunet split DATA --kind grouped`, which keeps related images in one subset."
_KEEP_TOGETHER = "let `tmunet split DATA --kind grouped` keep them in one subset."


@dataclass(frozen=True)
class Rule:
    """Severity, templates of message and hint, and whether ``--fix`` fixes the finding.

    A finding may override severity, hint and `fixable`.
    """

    severity: Severity
    message: str
    hint: str = "{hint}"
    fixable: bool = False


RULES: dict[str, Rule] = {
    # names of files and folders
    "missing-folder": Rule(
        "fault",
        "Expected a folder of images, but it cannot be listed: {error}.",
        "A data set is a folder with `images/` and `masks/`; make one of other layouts with `tmunet import`.",
    ),
    "no-images": Rule(
        "fault",
        "Expected files with the suffixes {suffixes}, but the folder holds none.",
        "Put the images there, or import the data set: `tmunet import`.",
    ),
    "not-a-file": Rule(
        "fault",
        "Expected an image, but this is a folder, a broken link or a loop of links.",
        "Remove it, rename it or repair the link.",
        fixable=True,
    ),
    "same-name": Rule("fault", "Expected one file for the case {name!r}, but found {count}.", "Keep one of them."),
    "unportable-name": Rule(
        "warning",
        "The name {reason}; it cannot be copied to every computer.",
        "Rename the image and the mask alike; letters, digits, `-` and `_` are safe.",
    ),
    "skipped": Rule(
        "warning",
        "{what}: {count:,} skipped, since only {suffixes} are read.",
        "Convert them (PNG keeps every value), take them out of folders inside, or move them elsewhere.",
    ),
    "missing-mask": Rule(
        "fault",
        "Expected a mask of the same name, masks/{name}.png or the like, but there is none.{similar}",
        "Add the mask, or give both the same name; `tmunet import folders` pairs other names by a pattern.",
        fixable=True,
    ),
    "missing-image": Rule(
        "fault",
        "Expected an image of the same name, images/{name}.png or the like, but there is none.{similar}",
        "Add the image, or give both the same name; `tmunet import folders` pairs other names by a pattern.",
        fixable=True,
    ),
    "name-clash": Rule(
        "warning",
        "The names {names} differ only by case or by Unicode form: on Windows and macOS one file replaces the other.",
        "Rename one of them, the image and the mask alike.",
    ),
    # dataset.json
    "dataset-json": Rule(
        "fault", "{fault}", "Correct dataset.json; without it the classes are background and foreground."
    ),
    "record-without-case": Rule(
        "warning",
        "dataset.json has records of {count} without files: {names}.",
        "Find out where their files went, or take the records out.",
    ),
    "changed-file": Rule(
        "warning",
        "The file is not the one that was imported: its SHA-256 differs from the record in dataset.json.",
        "If you corrected it, say so in the data card and take the hash out of the record; otherwise import it again.",
    ),
    # contents of files
    "unreadable": Rule(
        "fault",
        "{error}",
        "Replace the file, or let `tmunet check DATA --fix COPY` set the case aside.",
        fixable=True,
    ),
    "wrong-suffix": Rule(
        "warning",
        "Expected the content to match {suffix}, but it is {format}.",
        "Rename it; other programs go by the suffix. `tmunet check DATA --fix COPY` does it.",
        fixable=True,
    ),
    "orientation": Rule(
        "warning",
        "The file has an orientation tag ({orientation}). tmunet applies it; programs that do not show image and mask in "
        "different positions.",
        "Check that image and mask match; `tmunet check DATA --fix COPY` writes the file upright.",
        fixable=True,
    ),
    "transparent-image": Rule(
        "warning",
        "{pixels:,} pixels are transparent; tmunet reads the colors hidden by alpha.",
        "Blend the image with its background, and save it without alpha.",
    ),
    "one-color": Rule(
        "warning",
        "All pixels of the image are the same.",
        "Open the file; if the content was lost, replace it or leave the case out of the split.",
    ),
    "number-range": Rule(
        "warning",
        "The image holds signed, 32-bit or floating-point numbers, so it is unknown which are black and white.",
        "Train with `--preprocess.normalize image`, which needs no range, or scale all images by one rule to 16-bit PNG.",
    ),
    "small-range": Rule(
        "warning",
        f"The image has 16 bits, but its values reach from {{low:,}} to {{high:,}} only, less than 1/{SMALL_PART} of the range: "
        "it is nearly uniform to a network.",
        "Stretch the values of all images by one rule, or train with `--preprocess.normalize image`.",
    ),
    "size-mismatch": Rule(
        "fault",
        "Expected the size of the image, {W} x {H} pixels (width x height, upright), but got {w} x {h}; {guess}.",
        "Export the mask again at the size of the image; scaling it would blur or shift its edge.",
    ),
    # masks
    "mask-is-image": Rule(
        "fault",
        "The mask has the same pixels as its image.",
        "Replace it by the mask; the image was probably saved or copied under its name.",
    ),
    "mask-inverted": Rule(
        "fault",
        "This TIFF declares that 0 is white, and programs disagree what that means.",
        "Open it, find out which pixels are foreground, and save it as PNG.",
    ),
    "mask-transparent": Rule(
        "fault",
        "The mask has transparent pixels, so its labels may be in the colors or in the alpha plane: {found}.",
        "Save it as a gray or palette PNG without alpha.",
    ),
    "mask-colors": Rule(
        "fault",
        "Expected one label for each pixel, but found colors: {found}.",
        "Say which color is which class and save labels, as a gray or palette PNG.",
    ),
    "palette-unclear": Rule("fault", "{reason}.", AMBIGUOUS_HINT),
    "palettes-differ": Rule("fault", "{conflict}."),
    "mask-gray": Rule("fault", "Expected {expected}, but found {found}."),
    "mask-values": Rule("fault", "Expected {expected}, but found {found}."),
    "mask-numbers": Rule("fault", "{found}", "Save the labels unchanged as 8-bit PNG."),
    "all-ignored": Rule(
        "warning",
        "Every pixel has the ignore label, so the case has no effect.",
        "Draw the mask, or leave the case out of the split.",
    ),
    "empty-mask": Rule(
        "note",
        "No pixel belongs to a class besides the background.",
        "Nothing, if the image shows no object; otherwise draw the mask.",
    ),
    "full-mask": Rule(
        "warning",
        "Every pixel is {name}.",
        "Check the case: foreground and background may be swapped, or the mask was filled by mistake.",
    ),
    "tiny-components": Rule(
        "warning",
        "{components} of {at_most}{pixels} px beside components of typically {typical:,} px.",
        f"Check them: annotation artifacts spoil distances (HD, HD95) and, from {MIN_OBJECT_PIXELS} px on, counts of objects. "
        "Erase them in the mask.",
    ),
    # the data set as a whole
    "mixed-bits": Rule(
        "warning",
        "Expected one number of bits, but found {counts}; the files are those that do not have {usual}.",
        "Save all at the same depth by the same rule: 8- and 16-bit values are both scaled to 0 to 1 by their full range.",
    ),
    "mixed-channels": Rule(
        "fault",
        "Expected one number of channels, but found {counts}; the files are those that do not have {usual}.",
        "Nothing, if only gray and RGB are mixed: one is converted to the other. Other channels must be the same in all.",
    ),
    "spacing-without-case": Rule(
        "fault",
        "`spacing_mm` names {count} that are not there: {names}.",
        "Correct the names in dataset.json, or remove the entries.",
    ),
    "contradicting-spacing": Rule(
        "warning",
        "{fault}",
        "Evaluation refuses both: find out which is right, and correct the other.",
    ),
    "unused-class": Rule(
        "warning",
        "The class {name!r} (label {label}) occurs in none of the {masks:,} masks that could be read.",
    ),
    "duplicate": Rule(
        "warning", "{count} images are the same ({how}).", f"Keep one of them; at least {_KEEP_TOGETHER}"
    ),
    "contradicting-masks": Rule(
        "warning",
        "{count} images are the same ({how}), but {masks} different masks are drawn on them.",
        "Choose the right mask and remove the other cases: no prediction can be right for all of them.",
    ),
    "near-duplicate": Rule(
        "warning", "{message}", f"Compare both; if they are the same image, keep one, or {_KEEP_TOGETHER}"
    ),
    # the split
    "split-file": Rule("fault", "{fault}", "Correct the split file, or make a new one: `tmunet split DATA`."),
    "leak": Rule("warning", "{sentence}: {pairs}.", _GROUPED),
    "duplicate-across-sides": Rule("warning", "The same image is in more than one subset: {where}.", _GROUPED),
    "class-not-on-side": Rule(
        "warning",
        "{sentence}.",
        "Split anew with `tmunet split DATA`, which balances classes, or add images with it from other groups.",
    ),
    "not-in-split": Rule(
        "note",
        "{count:,} of {total:,} cases are not in the split, so they are not used.",
        "Nothing, if that is intended.",
    ),
}


def finding(
    kind: str,
    files: tuple[str, ...] = (),
    cases: tuple[str, ...] = (),
    severity: Severity | None = None,
    fixable: bool | None = None,
    **values: Any,
) -> Finding:
    """Make a finding from the table; `values` fill its templates."""
    rule = RULES[kind]
    return Finding(
        kind,
        severity or rule.severity,
        rule.message.format_map(values),
        values["hint"] if rule.hint == "{hint}" else rule.hint,
        files,
        cases,
        rule.fixable if fixable is None else fixable,
    )


def sentence(text: str) -> str:
    """Capitalize the first letter only."""
    return text[:1].upper() + text[1:]


def shortened(names: list[str], shown: int, separator: str = ", ") -> str:
    """Join the first names; count the rest."""
    more = len(names) - shown
    return separator.join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")
