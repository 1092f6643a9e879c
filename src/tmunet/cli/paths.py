"""Output paths of commands."""

import re
from pathlib import Path

from tmunet.errors import UsageError


def check_output_path(file: str | Path, suffix: str, data: Path) -> Path:
    """Check that an output file, which may be overwritten, is none of the data set's files.

    Args:
        file: as the user named it.
        suffix: that it must have, such as ".png".
        data: the data set folder.

    Raises:
        UsageError: it has another suffix, or lies among the images or masks.
    """
    path = Path(file)
    if path.suffix.lower() != suffix:
        raise UsageError(f"Expected a file that ends in {suffix}, but got {str(file)!r}.", code="suffix", path=path)
    if any(path.resolve().is_relative_to((data / part).resolve()) for part in ("images", "masks")):
        raise UsageError(
            f"{path}: lies among the images and masks of {data}; choose another folder.", path=path, code="among-images"
        )
    return path


def file_name(name: str) -> str:
    """Turn a name into a part of a file name: letters, digits, dots and dashes."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "dataset"
