"""Predict masks with the model of this folder: python run.py IMAGE [IMAGE ...] -o FOLDER

Images are resized to the size that the model was trained for; a model for any size takes others by --size. With OpenVINO,
--bfloat16 is faster on processors that have it, and moves the borders of masks a little.
Needs numpy, Pillow and the runtime that model.json names (onnxruntime, openvino or torch), and nothing else; written by
`tmunet export`. Research software, not a medical device.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).resolve().parent


def load(folder: Path, bfloat16: bool = False) -> tuple[dict[str, Any], Callable[[Any], Any]]:
    """The description of the model, and a call from images (B, C, H, W) to logits (B, K, H, W), both float32."""
    about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    for name, expected in about["files"].items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected:
            sys.exit(
                f"{folder / name}: expected SHA-256 {expected}, but found {found}; the file is damaged. Export again."
            )
    return about, STARTERS[about["runtime"]](folder / about["model"], bfloat16)


def _onnxruntime(file: Path, bfloat16: bool) -> Callable[[Any], Any]:
    _refuse(bfloat16, "onnxruntime")
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def _openvino(file: Path, bfloat16: bool) -> Callable[[Any], Any]:
    import openvino

    core = openvino.Core()
    if bfloat16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        sys.exit("--bfloat16: this processor does not have it; leave the option out.")
    model = core.compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32"})
    return lambda images: model(images)[0]


def _torch(file: Path, bfloat16: bool) -> Callable[[Any], Any]:
    _refuse(bfloat16, "torch")
    import torch

    # Its guards also ask for the memory layout of the traced example; what it computes was checked without them at the export.
    network = torch.export.load(file).module(check_guards=False)

    def run(images: Any) -> Any:
        with torch.no_grad():
            return network(torch.from_numpy(images)).numpy()

    return run


def _refuse(bfloat16: bool, runtime: str) -> None:
    if bfloat16:
        sys.exit(
            f"--bfloat16: expected a model for OpenVINO, but this one is for {runtime}; export with --format openvino."
        )


STARTERS = {"onnxruntime": _onnxruntime, "openvino": _openvino, "torch": _torch}


def check_size(size: int, sizes: dict[str, Any]) -> None:
    """Leave with a message where the model does not take square images of this side."""
    if "only" in sizes:
        fits, expected = size == sizes["only"], f"{sizes['only']}, the one size of this model; export with --size any"
    else:
        fits = size >= sizes["minimum"] and size % sizes["multiple"] == 0
        expected = f"at least {sizes['minimum']}, divisible by {sizes['multiple']}"
    if not fits:
        sys.exit(f"--size: expected {expected}, but got {size}.")


def prepare(picture: Image.Image, about: dict[str, Any], size: int) -> Any:
    """What the network sees of a picture of 8 bits: (1, C, size, size), float32."""
    picture = ImageOps.exif_transpose(picture).convert("RGB" if about["channels"] == 3 else "L")
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    values = np.asarray(picture, dtype=np.float32).reshape(size, size, -1).transpose(2, 0, 1)[None] / np.float32(255)
    if about["normalise"] == "image":
        mean, sd = values.mean(), max(values.std(ddof=1), 1e-3)
        return ((values - mean) / sd).astype(np.float32)
    mean, sd = (np.array(about["normalise"][name], np.float32).reshape(1, -1, 1, 1) for name in ("mean", "sd"))
    return (values - mean) / sd


def probabilities(logits: Any) -> Any:
    """(B, 1 or K, H, W) -> (B, K, H, W), background first; one output means two classes."""
    if logits.shape[1] == 1:
        foreground = 1 / (1 + np.exp(-logits))
        return np.concatenate([1 - foreground, foreground], axis=1)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def resize(values: Any, height: int, width: int) -> Any:
    """Bilinear, pixel centres at halves, the border repeated: (K, h, w) -> (K, height, width)."""
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


def predict(path: Path, about: dict[str, Any], run: Callable[[Any], Any], size: int) -> Image.Image:
    """The mask of an image at its own size: two classes as 0 and 255, more as a palette whose index is the label."""
    with Image.open(path) as picture:
        if picture.mode.startswith(("I", "F")):
            sys.exit(
                f"{path}: expected 8 bits a channel, but found mode {picture.mode}; use `tmunet predict` for 16 bits."
            )
        upright = ImageOps.exif_transpose(picture)
        probability = resize(probabilities(run(prepare(picture, about, size)))[0], upright.height, upright.width)
    if len(probability) == 2:
        return Image.fromarray(np.where(probability[1] > 0.5, 255, 0).astype(np.uint8))
    mask = Image.fromarray(probability.argmax(0).astype(np.uint8), mode="P")
    mask.putpalette([value for colour in about["colours"] for value in colour])
    return mask


def main() -> None:
    """Predict every image that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for NAME.png")
    parser.add_argument(
        "--size", type=int, help="side in pixels that images are resized to; by default that of training"
    )
    parser.add_argument("--bfloat16", action="store_true", help="compute in bfloat16 (OpenVINO)")
    given = parser.parse_args()
    about, run = load(HERE, given.bfloat16)
    size = about["size"] if given.size is None else given.size
    check_size(size, about["sizes"])
    given.out.mkdir(parents=True, exist_ok=True)
    for path in given.images:
        predict(path, about, run, size).save(given.out / f"{path.stem}.png")
    print(f"{len(given.images)} masks in {given.out}; classes: {', '.join(about['classes'])}")


if __name__ == "__main__":
    main()
