"""Predict masks with the model of this folder: python run.py IMAGE [IMAGE ...] -o FOLDER

Images are resized to the size that the model was trained for; a model for any size takes others by --size. With OpenVINO,
--bfloat16 is faster on processors that have it, and moves the borders of masks a little.
An image that cannot be read is reported, and the others go on; the exit code is 3 then.
confidence.csv lists all masks, those to review first: how well a mask agrees with its probabilities (soft Dice), the Dice that is
expected, its mean error on validation images, and the reasons.
Needs numpy, Pillow and the runtime that model.json names (onnxruntime, openvino or torch), and nothing else; written by
`tmunet export`. Research software, not a medical device.
"""

import argparse
import csv
import glob
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

HERE = Path(__file__).resolve().parent
USAGE, INPUT, MISSING = 2, 3, 4  # exit codes, as of `tmunet`
KEYS = {  # of model.json
    *("runtime", "model", "files", "size", "sizes", "channels", "normalize"),
    *("threshold", "scale", "intensity", "classes", "colors", "appearance", "calibration"),
}
FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")
LAYOUTS = (  # of TIFF: photometric interpretation, bits of each sample, kinds of those beyond the colors (2 is plain alpha)
    *((0, (1,), ()), (1, (1,), ()), (0, (8,), ()), (1, (8,), ()), (1, (8, 8), (2,)), (3, (8,), ())),
    *((2, (8, 8, 8), ()), (2, (8, 8, 8, 8), (2,)), (5, (8, 8, 8, 8), ()), (6, (8, 8, 8), ())),
)
SAVE = "save it as 8-bit PNG"
MAX_PIXELS = 400_000_000
MAX_SCALE_FACTOR = 1.5  # between the scale of an image and those of the training images
REVIEW_DICE, REVIEW_AGREEMENT = 0.7, 0.8  # a mask below is flagged: expected Dice; without a calibration, soft Dice
APPEARANCE_MARGIN = 0.05  # relative, beyond the range of the training images
COLUMNS = ("image", "mask", "agreement", "soft_dice", "expected_dice", "error", "flags")
SMALL_PART = 8  # 16-bit images below an eighth of their range are dark
FLOOR = 1e-3 / 257  # of a standard deviation: a quarter of a 16-bit gray level


class RunError(Exception):
    """An error in one line, and the exit code."""

    def __init__(self, message: str, code: int = INPUT) -> None:
        super().__init__(message)
        self.code = code


def load(folder: Path, bfloat16: bool = False) -> tuple[dict[str, Any], Callable[[Any], Any]]:
    """Load model.json, and a session from images (B, C, H, W) to logits (B, K, H, W), both float32.

    Raises:
        RunError: the folder is damaged, the runtime is not installed, or it does not support bfloat16.
    """
    about = read_metadata(folder / "model.json")
    for name, expected in about["files"].items():
        found = hashlib.sha256(_content(folder / name)).hexdigest()
        if found != expected:
            raise RunError(
                f"{folder / name}: expected SHA-256 {expected}, but found {found}; the file is damaged. Export again."
            )
    runtime = about["runtime"]
    if bfloat16 and runtime != "openvino":
        raise RunError(
            f"--bfloat16: expected a model for OpenVINO, but this one is for {runtime}; export with --format openvino.",
            USAGE,
        )
    try:
        return about, SESSIONS[runtime](folder / about["model"], bfloat16)
    except ImportError as error:
        raise RunError(
            f"This model needs the package {runtime}, but: {error}. Install it with: pip install {runtime}", MISSING
        ) from error


def read_metadata(file: Path) -> dict[str, Any]:
    """Read model.json and check its keys."""
    try:
        about: dict[str, Any] = json.loads(_content(file))
        missing = sorted(KEYS.difference(about))
    except (ValueError, TypeError) as error:
        raise RunError(f"{file}: expected JSON, but: {error}; the file is damaged. Export again.") from error
    if missing or about["runtime"] not in SESSIONS:
        found = f"without {', '.join(missing)}" if missing else f"with the runtime {about['runtime']}"
        raise RunError(f"{file}: expected the description of a model, but found one {found}. Export again.")
    return about


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise RunError(
            f"{file}: expected a file of the exported model, but: {error.strerror}. Export again."
        ) from error


def _onnxruntime(file: Path, _: bool) -> Callable[[Any], Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def _openvino(file: Path, bfloat16: bool) -> Callable[[Any], Any]:
    import openvino

    core = openvino.Core()
    if bfloat16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise RunError("--bfloat16: this processor does not have it; leave the option out.", USAGE)
    model = core.compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32"})
    return lambda images: model.infer_new_request(images)[0]  # the model's default request is shared by all threads


def _torch(file: Path, _: bool) -> Callable[[Any], Any]:
    import torch

    # Its guards also check the memory layout of the traced example; the export validated the program without them.
    network = torch.export.load(file).module(check_guards=False)

    def run(images: Any) -> Any:
        with torch.no_grad():
            return network(torch.from_numpy(images)).numpy()

    return run


SESSIONS = {"onnxruntime": _onnxruntime, "openvino": _openvino, "torch": _torch}


def check_size(size: int, sizes: dict[str, Any]) -> None:
    """Check that the model takes square images of a size."""
    if "only" in sizes:
        fits, expected = size == sizes["only"], f"{sizes['only']}, the one size of this model; export with --size any"
    else:
        fits = size >= sizes["minimum"] and size % sizes["multiple"] == 0
        expected = f"at least {sizes['minimum']}, divisible by {sizes['multiple']}"
    if not fits:
        raise RunError(f"--size: expected {expected}, but got {size}.", USAGE)


def find(words: Sequence[str], out: Path) -> dict[Path, Path]:
    """Map each mask to its image. A word is a file or a glob pattern; one that is neither fails when it is read.

    Raises:
        RunError: a mask would replace an image, or two images would be written to one mask.
    """
    images: dict[Path, Path] = {}  # two spellings of a path are one image, two links are two
    for word in words:
        matches = [] if Path(word).exists() else sorted(glob.glob(word, recursive=True))  # noqa: PTH207  (takes any path)
        for path in map(Path, matches or [word]):
            images.setdefault(path.parent.resolve() / path.name, path)
    taken = {*images, *(path.resolve() for path in images.values())}  # links are read at their target
    masks: dict[Path, Path] = {}
    for path in images.values():
        mask = out / f"{path.stem}.png"
        if mask.parent.resolve() / mask.name in taken:
            raise RunError(f"{mask}: is one of the images, and a mask would replace it; choose another folder with -o.")
        if mask in masks:
            raise RunError(
                f"Expected images of different names, since each gives NAME.png, but got: {masks[mask]}, {path}."
            )
        masks[mask] = path
    return masks


def read(path: Path) -> Image.Image:
    """Read an image as `tmunet predict` does: upright, in RGB, without alpha.

    Raises:
        RunError: it cannot be read, or Pillow and `tmunet predict` read it differently.
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise RunError(
                    f"expected at most {MAX_PIXELS:,} pixels, but its header declares {picture.width:,} x "
                    f"{picture.height:,}; cut it into tiles or scale it down first."
                )
            if found := _other_than_8_bits(picture):
                raise RunError(f"expected one picture of 8 bits in gray, color or palette, but found {found}; {SAVE}.")
            return ImageOps.exif_transpose(picture).convert("RGB")
    except RunError:
        raise
    except UnidentifiedImageError as error:
        raise RunError(
            f"expected a PNG, JPEG, BMP or TIFF image, but Pillow finds none; copy it again if it is damaged, or {SAVE}."
        ) from error
    except Exception as error:  # decoders raise any type on damaged files
        if isinstance(error, OSError) and error.strerror:
            raise RunError(
                f"cannot be opened: {error.strerror}; give files or a pattern such as 'scans/*.png'."
            ) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise RunError(
            f"cannot be decoded ({reason}): it is cut short or damaged; copy it again, or {SAVE}."
        ) from error


def _other_than_8_bits(picture: ImageFile) -> str:
    """Describe what Pillow and `tmunet predict` read differently, or what neither supports; empty if there is nothing."""
    frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)  # a JPEG with previews
    if frames > 1:
        return f"{frames} pages"
    if picture.format == "PNG" and picture.tile and str(picture.tile[0].args).endswith(";16B"):
        return "16 bits, which `tmunet predict` takes"  # Pillow silently drops the low byte of color
    if picture.mode not in MODES:
        return f"pixels of the kind {picture.mode}"
    if isinstance(picture, TiffImageFile):
        return _other_tiff(picture)
    if picture.format == "BMP" and picture.mode in ("1", "L") and _bmp_bits(picture) != {"1": 1, "L": 8}[picture.mode]:
        return "BMP with a palette of grays"  # Pillow takes its indices for gray values
    if picture.mode == "P" and np.asarray(picture).max() >= len(picture.getpalette() or ()) // 3:
        return "a pixel that asks for a color beyond the palette"
    return ""


def _bmp_bits(picture: ImageFile) -> int:
    file: Any = picture.fp
    file.seek(14)
    header = file.read(16)
    offset = 10 if header[:4] == b"\x0c\0\0\0" else 14  # OS/2 or Windows header
    return int.from_bytes(header[offset : offset + 2], "little")


def _other_tiff(picture: TiffImageFile) -> str:
    tags = picture.tag_v2
    stack = re.match(r"ImageJ=.*^images=(\d+)", str(tags.get(270, "")), re.DOTALL | re.MULTILINE)
    if stack and int(stack[1]) > 1:
        return f"a stack of {stack[1]} pages"
    bits, extra, signs = (tuple(tags.get(tag, other)) for tag, other in ((258, (1,)), (338, ()), (339, (1,))))
    layout = (tags.get(262), bits * tags.get(277, 1) if len(bits) == 1 else bits, extra)
    if layout not in LAYOUTS or set(signs) != {1}:
        return f"TIFF of photometric interpretation {layout[0]}, {bits} bits, extra samples {extra} and sample format {signs}"
    if picture.mode == "P" and max(tags[320]) < 256:
        return "a palette of 8 bits in the place of 16"
    return ""


def preprocess(picture: Image.Image, about: dict[str, Any], size: int) -> Any:
    """Preprocess an RGB image: (1, C, size, size), float32, resized and normalized."""
    if about["channels"] == 1:
        picture = picture.convert("L")
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    values = np.asarray(picture, dtype=np.float32).reshape(size, size, -1).transpose(2, 0, 1)[None] / np.float32(255)
    if about["normalize"] == "image":
        mean, sd = values.mean(dtype=np.float64), max(values.std(ddof=1, dtype=np.float64), FLOOR)
        return ((values - mean) / sd).astype(np.float32)
    mean, sd = (np.array(about["normalize"][name], np.float32).reshape(1, -1, 1, 1) for name in ("mean", "sd"))
    return (values - mean) / sd


def probabilities(logits: Any) -> Any:
    """Convert logits (B, 1 or K, H, W) to probabilities (B, K, H, W), background first; one channel means two classes."""
    if logits.shape[1] == 1:
        foreground = 1 / (1 + np.exp(-logits))
        return np.concatenate([1 - foreground, foreground], axis=1)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def resize(values: Any, height: int, width: int) -> Any:
    """Resize bilinearly as torch (align_corners=False, no anti-aliasing): (K, h, w) -> (K, height, width)."""
    for axis, length in ((1, height), (2, width)):
        old = values.shape[axis]
        if old == length:
            continue
        at = np.maximum(
            (np.arange(length, dtype=np.float32) + np.float32(0.5)) * np.float32(old / length) - np.float32(0.5), 0
        )
        low = at.astype(np.int64)
        high = np.minimum(low + 1, old - 1)
        share = (at - low).reshape([-1 if a == axis else 1 for a in range(3)])
        values = values.take(low, axis) * (1 - share) + values.take(high, axis) * share
    return values


def predict(
    picture: Image.Image, about: dict[str, Any], run: Callable[[Any], Any], size: int
) -> tuple[Image.Image, dict[str, Any]]:
    """Predict the mask of an image at its original size: two classes as 0 and 255, more as a palette; and its confidence.

    Raises:
        RunError: logits are not finite.
    """
    logits = run(preprocess(picture, about, size))
    if not np.isfinite(logits).all():  # NaN would become background
        raise RunError("expected finite logits, but the network gives others: its weights are damaged.")
    probability = resize(probabilities(logits)[0], picture.height, picture.width)
    if len(probability) == 2:
        labels = (probability[1] > about["threshold"]).astype(np.uint8)
        mask = Image.fromarray(labels * 255)
    else:
        labels = probability.argmax(0).astype(np.uint8)
        mask = Image.fromarray(labels, mode="P")
        mask.putpalette([value for color in about["colors"] for value in color])
    return mask, confidence(probability, labels, about, shift_flags(picture, about, size))


def confidence(probability: Any, labels: Any, about: dict[str, Any], shifts: Sequence[str]) -> dict[str, Any]:
    """Assess a mask (H, W) by its probabilities (K, H, W): the columns of confidence.csv without the names."""
    scores = []
    for label in range(1, len(probability)):
        inside = labels == label
        if inside.any():
            p = probability[label].astype(np.float64)
            scores.append(2 * float(p[inside].sum()) / (float(p.sum()) + int(inside.sum())))
    agreement = round(float(np.mean(scores)), 6) if scores else 0.0
    fit, expected, error = about["calibration"], None, None
    low = agreement < REVIEW_AGREEMENT
    if fit is not None:
        # below the lowest agreement of the fit, on a line to 0 at 0
        found = float(np.interp(agreement, [0.0, *fit["agreement"]], [0.0, *fit["dice"]]))
        low = agreement < fit["review"] or found < REVIEW_DICE
        expected, error = (round(found, 4), round(fit["error"], 4)) if scores else (None, None)
    reasons = ["nothing found"] if not scores else ["low agreement"] if low else []
    known = {"agreement": round(agreement, 4), "soft_dice": round(agreement, 4)}
    return {**known, "expected_dice": expected, "error": error, "flags": ", ".join([*reasons, *shifts])}


def shift_flags(picture: Image.Image, about: dict[str, Any], size: int) -> list[str]:
    """Name how an image differs from the training images, as `tmunet predict` does."""
    flags = []
    if about["scale"] and _distance(scale_factor(picture, size, about["scale"])) > MAX_SCALE_FACTOR:
        flags.append("size")
    trained = about["intensity"]
    if trained and all(map(_is_dark, trained)) and about["normalize"] != "image":
        flags.append("intensity")
    if about["appearance"] is None:
        return flags
    if about["channels"] == 1:
        picture = picture.convert("L")
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    gray = np.asarray(picture).reshape(size, size, -1).mean(2, dtype=np.float32) / 255.0
    contrast, half = float(gray.std()), _halve(gray)
    coarse = _laplacian_sd(_halve(half))
    sharpness = _laplacian_sd(gray) / contrast if contrast else 0.0
    fine_detail = _laplacian_sd(half) / coarse if coarse else 0.0
    lowest, highest, tolerance = about["appearance"]["lowest"], about["appearance"]["highest"], 1 + APPEARANCE_MARGIN
    for name, value in (("brightness", float(gray.mean())), ("contrast", contrast)):
        if not lowest[name] / tolerance <= value <= highest[name] * tolerance:
            flags.append(name)
    least = lowest["fine_detail"]  # None of an older model
    if sharpness < lowest["sharpness"] / tolerance or (least is not None and fine_detail < least / tolerance):
        flags.append("blur")
    if sharpness > highest["sharpness"] * tolerance:
        flags.append("noise")
    return flags


def _halve(gray: Any) -> Any:
    height, width = gray.shape[0] // 2, gray.shape[1] // 2
    return gray[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))


def _laplacian_sd(gray: Any) -> float:
    inner = gray[1:-1, 1:-1]
    if not inner.size:
        return 0.0
    return float((gray[:-2, 1:-1] + gray[2:, 1:-1] + gray[1:-1, :-2] + gray[1:-1, 2:] - 4 * inner).std())


def write_confidence(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write confidence.csv, the masks to review first, then by agreement."""
    temporary = path.with_name(f".{os.getpid()}.csv")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(sorted(rows, key=lambda row: (not row["flags"], row["agreement"])))
    temporary.replace(path)


def scale_factor(picture: Image.Image, size: int, scale: dict[str, Any]) -> float:
    """Compute how many times larger (above 1) or smaller an image resized to `size` appears than any training image."""
    factors: list[float] = []
    for axis, length in (("height", picture.height), ("width", picture.width)):
        found, known = size / length, scale[axis]
        factors.append(found / min(max(found, known["lowest"]), known["highest"]))
    return max(factors, key=_distance)


def _distance(factor: float) -> float:
    return max(factor, 1 / factor)


def _is_dark(values: dict[str, Any]) -> bool:
    return bool(values["bits"] == 16 and values["highest"] < 1 / SMALL_PART)


def domain_shift(about: dict[str, Any], size: int, factors: Sequence[float]) -> list[str]:
    """List warnings about all images: another scale or intensity range than those of the training images."""
    warnings = []
    beyond = [factor for factor in factors if _distance(factor) > MAX_SCALE_FACTOR]
    if beyond:
        worst = max(beyond, key=_distance)
        change = f"{worst:.2g} times larger" if worst > 1 else f"{1 / worst:.2g} times smaller"
        warnings.append(
            f"{len(beyond)} of {len(factors)} images have other sizes than the training images: resized to {size} x {size} "
            f"pixels, objects appear up to {change} along an axis. If pixels have the same physical size as in training, use "
            "`tmunet predict --tile-size`; if the images show the same field of view in more or fewer pixels, ignore this."
        )
    trained = about["intensity"]
    if factors and trained and all(map(_is_dark, trained)) and about["normalize"] != "image":
        warnings.append(
            "the model was trained on 16-bit images that use a small part of their range, and images of 8 bits are far too "
            "bright to it; use `tmunet predict` on the 16-bit images."
        )
    return warnings


def write(mask: Image.Image, path: Path) -> None:
    """Write a PNG file atomically."""
    temporary = path.with_name(f".{os.getpid()}.png")
    try:
        mask.save(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for NAME.png")
    parser.add_argument("--size", type=int, help="input size in pixels; by default that of training")
    parser.add_argument("--bfloat16", action="store_true", help="compute in bfloat16 (OpenVINO)")
    return parser.parse_args()


def predict_files(given: argparse.Namespace) -> int:
    """Predict every image, report those that cannot be predicted, and return the exit code."""
    masks = find(given.images, given.out)
    about, run = load(HERE, given.bfloat16)
    size = about["size"] if given.size is None else given.size
    check_size(size, about["sizes"])
    given.out.mkdir(parents=True, exist_ok=True)
    rows, factors = list[dict[str, Any]](), []
    for mask, path in masks.items():
        try:
            picture = read(path)
            factors.append(scale_factor(picture, size, about["scale"]) if about["scale"] else 1.0)
            found, assessed = predict(picture, about, run, size)
            write(found, mask)
            rows.append({"image": str(path), "mask": mask.name, **assessed})
        except RunError as fault:
            print(f"{path}: {fault}", file=sys.stderr)
    for warning in domain_shift(about, size, factors):
        print(f"run.py: warning: {warning}", file=sys.stderr)
    write_confidence(rows, given.out / "confidence.csv")
    flagged = sum(bool(row["flags"]) for row in rows)
    review = f"; {flagged} to review, see confidence.csv" if flagged else ""
    print(f"{len(rows)} of {len(masks)} masks in {given.out}; classes: {', '.join(about['classes'])}{review}")
    return 0 if len(rows) == len(masks) else INPUT


def main() -> int:
    """Run, and turn errors into one line and an exit code."""
    Image.MAX_IMAGE_PIXELS = None  # MAX_PIXELS is the limit
    given = parse_arguments()
    try:
        return predict_files(given)
    except RunError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return error.code
    except OSError as error:  # such as a folder that cannot be written
        place = f"{error.filename}: " if error.filename else ""
        print(
            f"run.py: {place}{error.strerror or error}. Check that -o is a folder with free space that may be written.",
            file=sys.stderr,
        )
        return INPUT


if __name__ == "__main__":
    sys.exit(main())
