"""`tmunet predict`: write the masks of images."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tmunet.cli.parser import parse
from tmunet.cli.process_setup import prepare_process
from tmunet.prediction.backends.names import TORCH, BackendName, Precision


@dataclass(frozen=True)
class PredictConfig:
    """Write the mask of each image as PNG, at the size of the image."""

    images: list[str] = field(default_factory=list)
    """Files, folders or patterns."""
    model: str | None = None
    """Model or run folder; by default nuclei-t, which comes with the package."""
    out: str = "predictions"
    """Folder for the masks; an interrupted call continues there."""
    overlays: bool = False
    """Also write the images with the outlines drawn in, in out/overlays."""
    tile_size: int | None = None
    """Slide a window of this many pixels over each image, at the scale of training, instead of resizing it: for large images."""
    tta: bool = False
    """Average over the image and its flips, of those that training had."""
    backend: BackendName = TORCH
    """eager is PyTorch as it is, compile its compiler, cudagraph all kernels of a GPU at once; onnx and openvino export first."""
    batch_size: int = 8
    """Images predicted together."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    precision: Precision = "float32"
    """Arithmetic of the network; tf32 on cuda only."""


def run(arguments: Sequence[str]) -> int:
    """Predict, continue where a former call stopped, and report the images that could not be read."""
    config = parse(
        PredictConfig, arguments, "predict", words={"images": "files, folders or patterns such as 'scans/*.png'"}
    )
    prepare_process()
    from tmunet.prediction.folder import find_images, predict_files
    from tmunet.prediction.predictor import DEFAULT_MODEL, Predictor

    images = find_images(config.images)
    if config.model is None:
        print(
            f"No model was named: using {DEFAULT_MODEL}, trained on nuclei. Name yours with -m.",
            file=sys.stderr,
        )
    predictor = Predictor(
        config.model,
        tile_size=config.tile_size,
        tta=config.tta,
        backend=config.backend,
        device=config.device,
        precision=config.precision,
    )
    outcome = predict_files(predictor, images, Path(config.out), config.overlays, config.batch_size)
    classes = predictor.config.classes
    labels = (
        f"0 = {classes[0]}, 255 = {classes[1]}"
        if len(classes) == 2
        else ", ".join(f"{i} = {c}" for i, c in enumerate(classes))
    )
    before = f" ({outcome.done_before} from before)" if outcome.done_before else ""
    print(f"{outcome.done} of {len(images)} masks{before} in {config.out}: {labels}")
    for fault in outcome.faults:
        print(f"  - {fault}", file=sys.stderr)
    if outcome.faults:
        print(
            f"{len(outcome.faults)} of {len(images)} images could not be predicted, see above.",
            file=sys.stderr,
        )
    return 3 if outcome.faults else 0
