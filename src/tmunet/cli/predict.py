"""`tmunet predict`: segment images and write their masks."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tmunet.cli.parser import parse
from tmunet.cli.process_setup import prepare_process
from tmunet.errors import BackendError, UsageError
from tmunet.prediction.backends.names import (
    DICOM_FORMATS,
    THRESHOLD,
    TORCH,
    BackendChoice,
    BackendName,
    Keep,
    MaskFormat,
    Precision,
)

if TYPE_CHECKING:
    from tmunet.prediction.predictor import Predictor


@dataclass(frozen=True)
class PredictConfig:
    """Segment images and write their masks as PNG or DICOM segmentations, at the original size."""

    images: list[str] = field(default_factory=list)
    """Files, folders, ZIP archives or glob patterns."""
    model: list[str] = field(default_factory=list)
    """Run or model folder, or user/name on the Hugging Face Hub; by default nuclei-t. Given several times, the probabilities are
    averaged."""
    out: str = "predictions"
    """Folder for the masks; an interrupted call resumes there."""
    overlays: bool = False
    """Also write images with the outlines of the masks, in out/overlays."""
    tile_size: int | None = None
    """Sliding window with tiles of this many pixels, at the scale of the training images, instead of resizing."""
    tta: bool = False
    """Test-time augmentation: average over the flips of the training augmentation."""
    backend: BackendChoice = "auto"
    """torch: PyTorch in eager mode. compile: torch.compile. cudagraph: CUDA graphs. onnx, openvino: export the network at the
    first call, and keep it. auto: openvino for many images on a CPU if it is installed, else torch."""
    batch_size: int = 8
    """Images in one call of the network."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    precision: Precision = "float32"
    """Precision of the network; tf32 on cuda only."""
    threshold: float | None = None
    """Foreground probability above which a pixel is foreground; by default that of the model, chosen by evaluate
    --tune-threshold, or 0.5."""
    fill_holes: bool = False
    """Fill background that an object encloses."""
    min_size: int = 0
    """Remove objects of fewer pixels than this, of the image at its own size."""
    keep: Keep = "all"
    """all objects, or only the largest of each class."""
    probabilities: bool = False
    """Also write the probabilities (K, H, W) of each image, float32, in out/probabilities/NAME.npz."""
    format: MaskFormat = "png"
    """Of the masks. geojson: also the outlines of the objects, for QuPath, in out/NAME.geojson. imagej: also their ROIs, for
    ImageJ and Fiji, in out/NAME_rois.zip. dicom-seg: DICOM segmentations of DICOM images, one bit a pixel. dicom-labelmap: one
    byte a pixel."""
    window: str = "file"
    """Of gray DICOM images: file (the VOI LUT or window in the file, else the full range), full, or CENTER,WIDTH."""
    mpp: float | None = None
    """Slides: micrometers per pixel at which the model was trained, such as 0.5; by default those stored with the model. The
    images are read as whole slides then, also those that end in .tif."""
    slide_mpp: float | None = None
    """Slides: micrometers per pixel of the full resolution, for files that do not state them."""
    dask: str | None = None
    """Predict with the workers of a Dask scheduler, such as tcp://head:8786, which share the disk; local: one worker a core."""
    slurm: dict[str, Any] | None = None
    """Predict in jobs of a Slurm cluster, with these settings of submitit, such as '{slurm_partition: gpu, timeout_min: 60}'."""
    table: str | None = None
    """Also write a CSV file with a row for each object: area, centroid, axes, mean intensity; in mm too if the
    spacing of every image is stated, by its file or the dataset.json of its data set."""


def run(arguments: Sequence[str]) -> int:
    """Predict, resume where a former call stopped, and list the images that could not be read."""
    config = parse(
        PredictConfig, arguments, "predict", words={"images": "files, folders or patterns such as 'scans/*.png'"}
    )
    prepare_process()
    from tmunet.cli.predict_slides import run_slides, wants_slides

    if wants_slides(config):
        return run_slides(config)
    from tmunet.prediction.image_archives import unpacked

    with unpacked(config.images) as words:
        return _predict(config, words, arguments)


def _predict(config: PredictConfig, words: Sequence[str], arguments: Sequence[str]) -> int:
    from tmunet.data.case_spacing import spacing_of_files
    from tmunet.files import sha256
    from tmunet.machines.pool import open_pool
    from tmunet.prediction.confidence_table import CONFIDENCE_FILE
    from tmunet.prediction.dicom_files import find_loops
    from tmunet.prediction.folder import find_images, predict_files
    from tmunet.prediction.mask_files import source_of
    from tmunet.prediction.object_table import write_object_table
    from tmunet.prediction.predictor import DEFAULT_MODEL

    images = find_images(words)
    if config.table is not None and Path(config.table).suffix.lower() != ".csv":
        raise UsageError(f"Expected --table to be a file that ends in .csv, but got {config.table!r}.", code="value")
    if config.table is not None and (config.format in DICOM_FORMATS or find_loops(images)):
        raise UsageError(
            "Expected --table with PNG masks of still images, but got "
            + (f"--format {config.format}." if config.format in DICOM_FORMATS else f"a loop: {find_loops(images)[0]}."),
            code="flags",
        )
    if config.table is not None:
        spacing_of_files(images)  # what contradicts is said before the first mask
    if not config.model:
        print(
            f"No model was named: using {DEFAULT_MODEL}, trained on nuclei. Name yours with -m.",
            file=sys.stderr,
        )
    predictor = _create_predictor(config, len(images))
    command = shlex.join(["tmunet", "predict", *arguments])
    out = Path(config.out)
    with open_pool(config.dask, config.slurm, out.with_name(f"{out.name}-jobs")) as pool:
        outcome = predict_files(
            predictor,
            images,
            out,
            config.overlays,
            config.batch_size,
            config.probabilities,
            command,
            config.format,
            config.window,
            pool,
        )
    classes = predictor.config.classes
    labels = (
        f"0 = {classes[0]}, 255 = {classes[1]}"
        if len(classes) == 2 and config.format not in DICOM_FORMATS
        else ", ".join(f"{i} = {c}" for i, c in enumerate(classes))
    )
    if (advice := predictor.missing_calibration()) is not None:
        print(f"No Dice is expected: {advice}", file=sys.stderr)
    before = f" ({outcome.done_before} from before)" if outcome.done_before else ""
    print(f"{outcome.done} of {len(images)} masks{before} in {config.out}: {labels}")
    if predictor.postprocess.threshold != THRESHOLD:
        print(f"Threshold {predictor.threshold_source}.")
    if outcome.flagged:
        first = ", ".join(Path(image).name for image in outcome.flagged[:3])
        print(
            f"Review: {len(outcome.flagged)} of {outcome.done} masks are flagged, first {first}; reasons: {out / CONFIDENCE_FILE}"
        )
    if config.table is not None:
        masks = {out / f"{image.stem}.png": image for image in images}
        masks = {mask: image for mask, image in masks.items() if source_of(mask) == sha256(image)}
        unit = write_object_table(Path(config.table), masks, classes)
        print(f"Objects: {config.table}, in {'mm and pixels' if unit == 'mm' else 'pixels'}")
    for fault in outcome.faults:
        print(f"  - {fault}", file=sys.stderr)
    if outcome.faults:
        print(
            f"{len(outcome.faults)} of {len(images)} images could not be predicted, see above.",
            file=sys.stderr,
        )
    return 3 if outcome.faults else 0


def _create_predictor(config: PredictConfig, images: int) -> "Predictor":
    """Create the predictor for a number of images; where the backend was chosen for the user, say so in a line."""
    from tmunet.device import choose_device
    from tmunet.prediction.choose_backend import choose_backend
    from tmunet.prediction.folder import MANIFEST
    from tmunet.prediction.predictor import DEFAULT_MODEL, Predictor

    models = config.model or [DEFAULT_MODEL]

    def create(backend: BackendName) -> Predictor:
        return Predictor(
            models,
            tile_size=config.tile_size,
            tta=config.tta,
            backend=backend,
            device=config.device,
            precision=config.precision,
            threshold=config.threshold,
            keep=config.keep,
            fill_holes=config.fill_holes,
            min_size=config.min_size,
        )

    if config.backend != "auto":
        return create(config.backend)
    begun = Path(config.out) / MANIFEST
    backend, reason = choose_backend(models, config.tile_size, images, choose_device(config.device), begun)
    if reason:
        print(
            f"Backend {backend}: {reason}. Masks are those of PyTorch but for single pixels; --backend {TORCH} computes these.",
            file=sys.stderr,
        )
    try:
        return create(backend)
    except BackendError as error:
        if backend == TORCH or begun.is_file():
            raise
        print(f"{error} This was done.", file=sys.stderr)
        return create(TORCH)
