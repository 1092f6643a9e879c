"""What single images and masks hold that they should not."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from tmunet.check.findings import Finding
from tmunet.check.inspect import FileFacts, ImageFacts, Look
from tmunet.data.io.images import ImageFormat
from tmunet.data.training_stats import SMALL_PART

SUFFIXES: dict[ImageFormat, tuple[str, ...]] = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
}
"""Suffixes of each format, in lower case; the first is the usual one."""


def about_files(look: Look) -> Iterator[Finding]:
    """Findings about the files of a case and about its image; those about its mask are in `tmunet.check.mask_rules`."""
    for file in (look.image_file, look.mask_file):
        if file is not None:
            yield from _about_file(file, look.name)
    if look.image_file is not None and look.image is not None:
        yield from _about_image(look.image_file.file, look.name, look.image)
    if look.image is not None and look.mask is not None and look.image_file and look.mask_file:
        yield from _sizes(look.name, look.image_file, look.mask_file)


def _about_file(file: FileFacts, case: str) -> Iterator[Finding]:
    if file.trouble is not None:
        yield Finding(
            "unreadable",
            "fault",
            file.trouble,
            "Replace the file, or let `tmunet check DATA --fix COPY` set the case aside.",
            (file.file,),
            (case,),
            fixable=True,
        )
    suffix = PurePosixPath(file.file).suffix
    if file.format is not None and file.trouble is None and suffix.lower() not in SUFFIXES[file.format]:
        yield Finding(
            "wrong-suffix",
            "warning",
            f"Expected {suffix} to hold what it says, but the content is {file.format}.",
            "Rename it; other programs go by the suffix. `tmunet check DATA --fix COPY` does it.",
            (file.file,),
            (case,),
            fixable=True,
        )
    if file.orientation != 1:
        yield Finding(
            "orientation",
            "warning",
            f"A tag (orientation {file.orientation}) asks to turn the picture. tmunet turns it; programs that do not "
            "will see image and mask in different positions.",
            "Look whether image and mask lie on each other; `tmunet check DATA --fix COPY` writes it upright.",
            (file.file,),
            (case,),
            fixable=True,
        )


def _about_image(file: str, case: str, image: ImageFacts) -> Iterator[Finding]:
    if image.transparent:
        yield Finding(
            "transparent-image",
            "warning",
            f"{image.transparent:,} pixels are transparent; tmunet reads the colors behind them, which nobody saw.",
            "Blend the image with the background that is meant, and save it without alpha.",
            (file,),
            (case,),
        )
    if image.one_color:
        yield Finding(
            "one-color",
            "warning",
            "All pixels of the image are the same.",
            "Look at the file; if the picture was lost, replace it or leave the case out of the split.",
            (file,),
            (case,),
        )
    elif image.bits == 16 and (image.high - image.low) < 65536 // SMALL_PART:
        yield Finding(
            "small-range",
            "warning",
            f"The image has 16 bits, but its values reach from {image.low:,} to {image.high:,} only, "
            f"less than 1/{SMALL_PART} of the range: it looks nearly uniform to a network.",
            "Stretch the values of all images by one rule, or train with `--preprocess.normalize image`.",
            (file,),
            (case,),
        )


def _sizes(case: str, image: FileFacts, mask: FileFacts) -> Iterator[Finding]:
    if image.size == mask.size:
        return
    (H, W), (h, w) = image.size, mask.size
    if (h, w) == (W, H):
        guess = "height and width are swapped: one of the two is turned by 90 degrees"
        if image.orientation >= 5:
            guess += ", probably since the image is turned by its orientation tag and the mask has none"
    elif abs(w * H - h * W) <= W + H:  # up to a pixel of rounding
        guess = f"the aspect ratio agrees, so the mask was scaled by {w / W:.3g}"
    else:
        guess = "the aspect ratio differs, so one of the two was cropped, padded or belongs elsewhere"
    yield Finding(
        "size-mismatch",
        "fault",
        f"Expected the size of the image, {W} x {H} pixels (width x height, upright), but got {w} x {h}; {guess}.",
        "Export the mask again at the size of the image; scaling it would blur or shift its edge.",
        (mask.file, image.file),
        (case,),
    )
