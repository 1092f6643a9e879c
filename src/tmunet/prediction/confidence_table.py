"""List the confidence of the masks in a folder, those to review first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tmunet.files import write_csv
from tmunet.prediction.backends.names import MaskFormat
from tmunet.prediction.confidence import CONFIDENCE_COLUMNS
from tmunet.prediction.mask_writers import MASK_WRITERS

CONFIDENCE_FILE = "confidence.csv"
COLUMNS = ("image", "mask", *CONFIDENCE_COLUMNS, "frame")


def write_confidence(
    out: Path, images: Sequence[Path], mask_format: MaskFormat, frames: Mapping[Path, int]
) -> list[dict[str, Any]]:
    """Write `out/confidence.csv` from what the mask files hold: flagged masks first, then by agreement.

    Args:
        out: folder of the masks.
        images: files that were predicted; those without a mask are left out.
        mask_format: of the masks.
        frames: number of frames of each DICOM image; other images have one.

    Returns:
        The rows, with the columns of `COLUMNS`; "frame" is the number of a frame of a loop, else None.
    """
    rows = []
    for image in images:
        count = frames.get(image, 1)
        masks = MASK_WRITERS[mask_format].confidences(out, image.stem, count)
        for frame, (mask, found) in enumerate(masks, start=1):
            known = {name: found.get(name) for name in CONFIDENCE_COLUMNS}
            rows.append({"image": str(image), "mask": mask, **known, "frame": frame if count > 1 else None})
    rows.sort(key=lambda row: (not row["flags"], 1.0 if row["agreement"] is None else row["agreement"]))
    write_csv(out / CONFIDENCE_FILE, COLUMNS, rows)
    return rows
