"""`tmunet predict`: segment images and write their masks."""

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
    """Segment images and write their masks as PNG, at the original size."""

    images: list[str] = field(default_factory=list)
    """Files, folders or glob patterns."""
    model: str | None = None
    """Model or run folder; by default the packaged model nuclei-t."""
    out: str = "predictions"
    """Folder for the masks; an interrupted call resumes there."""
    overlays: bool = False
    """Also write images with the outlines of the masks, in out/overlays."""
    tile_size: int | None = None
    """Sliding window with tiles of this many pixels, at the scale of the training images, instead of resizing."""
    tta: bool = False
    """Test-time augmentation: average over the flips of the training augmentation."""
    backend: BackendName = TORCH
    """torch: PyTorch in eager mode. compile: torch.compile. cudagraph: CUDA graphs. onnx, openvino: export the network first."""
    batch_size: int = 8
    """Images in one call of the network."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    precision: Precision = "float32"
    """Precision of the network; tf32 on cuda only."""


def run(arguments: Sequence[str]) -> int:
    """Predict, resume where a former call stopped, and list the images that could not be read."""
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
