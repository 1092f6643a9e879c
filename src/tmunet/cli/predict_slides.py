"""`tmunet predict` of whole slides."""

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from tmunet.errors import InputError, UsageError

if TYPE_CHECKING:
    from tmunet.cli.predict import PredictConfig

SUFFIXES = (".svs", ".ndpi", ".scn", ".bif", ".mrxs", ".vms", ".vmu", ".svslide")
_ALLOWED = ("images", "model", "out", "mpp", "slide_mpp", "tta", "backend", "device", "precision", "threshold")


def wants_slides(config: "PredictConfig") -> bool:
    """Return whether the images are slides: by their suffix, or since a resolution is asked for."""
    named = any(Path(word).suffix.lower() in SUFFIXES for word in config.images)
    return named or config.mpp is not None or config.slide_mpp is not None


def run_slides(config: "PredictConfig") -> int:
    """Predict slides, go on where a former call stopped, and list those that could not be read."""
    from tmunet.prediction.predictor import DEFAULT_MODEL
    from tmunet.prediction.slide import create_slide_predictor, predict_slide, working_mpp

    for field in fields(config):
        if field.name not in _ALLOWED and getattr(config, field.name) != field.default:
            raise UsageError(f"--{field.name.replace('_', '-')} is not for slides.", code="flags")
    slides = _find(config.images)
    models = config.model or [DEFAULT_MODEL]
    if not config.model:
        print(f"No model was named: using {DEFAULT_MODEL}, trained on nuclei. Name yours with -m.", file=sys.stderr)
    mpp = working_mpp(models, config.mpp)
    predictor = create_slide_predictor(
        models,
        tta=config.tta,
        backend="torch" if config.backend == "auto" else config.backend,
        device=config.device,
        precision=config.precision,
        threshold=config.threshold,
    )
    faults = []
    for slide in slides:
        try:
            done = predict_slide(predictor, slide, Path(config.out), mpp, config.slide_mpp)
        except InputError as error:
            faults.append(str(error))
            continue
        before = " (from before)" if done.done_before else ""
        print(f"{done.outlines}{before}: {done.objects:,} objects; tissue: {done.tissue:.0%} of the slide")
    for fault in faults:
        print(f"  - {fault}", file=sys.stderr)
    return 3 if faults else 0


def _find(words: list[str]) -> list[Path]:
    """Slides by file or folder."""
    found: list[Path] = []
    for word in words:
        path = Path(word)
        inside = sorted(one for one in path.iterdir() if _is_slide(one)) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{word}: expected slides, but found none.", code="no-image", path=path)
        found += inside
    if not found:
        raise UsageError("Expected slides to predict: files or folders.", code="missing")
    if len({one.stem for one in found}) < len(found):
        raise InputError(
            "Expected slides of different names, since each gives NAME.geojson.gz.", code="names", paths=found
        )
    return found


def _is_slide(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in (*SUFFIXES, ".tif", ".tiff")
