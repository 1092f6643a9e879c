"""Predict image files into a folder of mask files: in batches, resumable, and not stopped by a file that cannot be read."""

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from tmunet import __version__
from tmunet.config import to_dict
from tmunet.data.cases import natural_key, warn_skipped_files
from tmunet.data.io.images import IMAGE_SUFFIXES, Pixels
from tmunet.data.json_object import read_json_object
from tmunet.errors import InputError, UsageError
from tmunet.files import sha256, write_csv, write_json
from tmunet.prediction.confidence import CONFIDENCE_COLUMNS
from tmunet.prediction.domain_shift import DomainShift
from tmunet.prediction.mask_files import confidence_in, source_of, write_mask, write_overlay, write_probabilities
from tmunet.prediction.predictor import Predictor
from tmunet.progress import progress_bar

MANIFEST = "predictions.json"
CONFIDENCE = "confidence.csv"


@dataclass(frozen=True)
class PredictedFiles:
    """The result of `predict_files`.

    Attributes:
        done: number of masks.
        done_before: those of them from a former call.
        faults: images that could not be predicted, and why.
        flagged: images whose masks need review, those of the lowest agreement first.
    """

    done: int
    done_before: int
    faults: tuple[str, ...]
    flagged: tuple[str, ...] = ()


def find_images(words: Sequence[str]) -> list[Path]:
    """Find the image files named by files, folders (without their subfolders) and glob patterns, in natural order.

    Raises:
        InputError: a word matches nothing, or two images would be written to one mask.
    """
    if not words:
        raise UsageError(
            "Expected images to predict: files, folders or patterns such as 'scans/*.png'.", code="missing"
        )
    found: dict[Path, Path] = {}  # two spellings of a path are one image
    named = {canonical_path(Path(word)) for word in words}
    for word in words:
        path = Path(word)
        start = Path(path.anchor)  # Path.glob takes no absolute pattern
        try:
            candidates = path.iterdir() if path.is_dir() else start.glob(str(path.relative_to(start)))
            shown = [c for c in sorted(candidates) if not c.name.startswith(".")]
        except ValueError as error:
            raise InputError(
                f"{word}: expected a pattern such as 'scans/*.png', but: {error}", code="pattern", path=word
            ) from None
        images = [c for c in shown if c.suffix.lower() in IMAGE_SUFFIXES and c.is_file()]
        if path.is_file():
            images = [path]
        elif path.is_dir():
            others = [c for c in shown if c not in images and canonical_path(c) not in named]
            warn_skipped_files(path, others, "a pattern such as '**/*.png' takes folders inside")
        if not images:
            raise InputError(
                f"{word}: expected an image, a folder of images or a pattern, but found no image.",
                code="no-image",
                path=word,
            )
        for image in images:
            found.setdefault(canonical_path(image), image)
    names = Counter(image.stem for image in found.values())
    if clashes := [str(image) for image in found.values() if names[image.stem] > 1]:
        raise InputError(
            f"Expected images of different names, since each gives NAME.png, but got: {', '.join(clashes)}."
        )
    return sorted(found.values(), key=lambda image: natural_key(image.stem))


def canonical_path(path: Path) -> Path:
    """Resolve the folder of a path, not the file itself: two links of different names to one file are two files."""
    return path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()


def predict_files(
    predictor: Predictor,
    images: Sequence[Path],
    out: Path,
    overlays: bool = False,
    batch_size: int = 8,
    probabilities: bool = False,
    command: str | None = None,
) -> PredictedFiles:
    """Write `out/NAME.png` for each image, each atomically; images whose mask is already there are skipped.

    `out/confidence.csv` lists agreement, expected Dice and flags of all masks, flagged ones first, and so does
    `predictions.json` by the key "images".

    Args:
        predictor: the model.
        images: files of different stems.
        out: folder; it may hold masks of a former call with the same model and settings.
        overlays: also write `out/overlays/NAME.png`.
        batch_size: images in one call of the network.
        probabilities: also write `out/probabilities/NAME.npz`.
        command: recorded in `predictions.json` with the time of the call.

    Raises:
        InputError: `out` holds other files or the masks of another model.
        UsageError: `batch_size` is below 1.

    Warns:
        TMUNetWarning: once about all images with a domain shift.
    """
    if batch_size < 1:
        raise UsageError(f"Expected `batch_size` to be at least 1, but got {batch_size}.", code="value")
    _check_manifest(out, predictor, command)
    waiting = [image for image in images if not _is_done(out, image, overlays, probabilities)]
    faults: list[str] = []
    shift = DomainShift(predictor.config, predictor.tile_size)

    def load(image: Path) -> Pixels | str:
        try:
            return predictor.pipeline.load(image)
        except InputError as error:
            return str(error)

    batches = [waiting[start : start + batch_size] for start in range(0, len(waiting), batch_size)]
    with ThreadPoolExecutor() as pool, progress_bar(total=len(waiting), desc="predict", unit="image") as bar:
        reading = [pool.submit(load, image) for image in batches[0]] if batches else []
        for batch, following in pairwise([*batches, []]):
            current, reading = reading, [pool.submit(load, image) for image in following]
            loaded: dict[Path, Pixels] = {}
            for image, future in zip(batch, current, strict=True):
                found = future.result()
                if isinstance(found, str):
                    faults.append(found)
                else:
                    loaded[image] = found
                    shift.add(str(image), found)
            _predict_batch(predictor, loaded, out, overlays, probabilities)
            bar.update(len(batch))
    shift.warn()
    rows = _write_confidence(out, images)
    flagged = tuple(row["image"] for row in rows if row["flags"])
    return PredictedFiles(len(images) - len(faults), len(images) - len(waiting), tuple(faults), flagged)


def _write_confidence(out: Path, images: Sequence[Path]) -> list[dict[str, Any]]:
    """Write the confidence of the masks of images, flagged ones first, then by agreement; returns the rows."""
    rows = []
    for image in images:
        mask = out / f"{image.stem}.png"
        if source_of(mask) is not None:  # else the image could not be predicted
            found = confidence_in(mask)
            known = {name: found.get(name) for name in CONFIDENCE_COLUMNS}
            rows.append({"image": str(image), "mask": mask.name, **known})
    rows.sort(key=lambda row: (not row["flags"], 1.0 if row["agreement"] is None else row["agreement"]))
    write_csv(out / CONFIDENCE, ("image", "mask", *CONFIDENCE_COLUMNS), rows)
    write_json(out / MANIFEST, {**read_json_object(out / MANIFEST), "images": rows})
    return rows


def _predict_batch(
    predictor: Predictor, images: dict[Path, Pixels], out: Path, overlays: bool, probabilities: bool
) -> None:
    predictions = predictor.pipeline(list(images.values()))
    for (image, pixels), prediction in zip(images.items(), predictions, strict=True):
        overlay = out / "overlays" / f"{image.stem}.png"
        if overlays:
            write_overlay(overlay, pixels, prediction.mask, prediction.confidence)
        else:
            overlay.unlink(missing_ok=True)  # of a former image of this name
        archive = out / "probabilities" / f"{image.stem}.npz"
        if probabilities:
            write_probabilities(archive, prediction.probability, prediction.classes)
        else:
            archive.unlink(missing_ok=True)
        found = prediction.confidence.to_dict()
        write_mask(out / f"{image.stem}.png", prediction.mask, prediction.classes, sha256(image), found)


def _is_done(out: Path, image: Path, overlays: bool, probabilities: bool) -> bool:
    """Return whether the mask of exactly this image is there."""
    name = f"{image.stem}.png"
    there = (out / name).exists() and (not overlays or (out / "overlays" / name).exists())
    there = there and (not probabilities or (out / "probabilities" / f"{image.stem}.npz").exists())
    return there and source_of(out / name) == sha256(image)


def _check_manifest(out: Path, predictor: Predictor, command: str | None) -> None:
    """Record model, settings and call in a new folder, or check that those of an existing one are the same."""
    manifest = out / MANIFEST
    configs = [one.config for one in (predictor, *predictor.others)]
    # what the models compute, not where they come from; the threshold is a setting of its own
    models = [
        to_dict(replace(config, provenance={}, operating_point=None, appearance=None, calibration=None))
        for config in configs
    ]
    settings: dict[str, Any] = {
        "model": models[0] if len(models) == 1 else models,
        "weights_sha256": predictor.weights_sha256(),
        "tile_size": predictor.tile_size,
        "tta": predictor.tta,
        "backend": predictor.backend,
        "precision": predictor.precision,
        **predictor.postprocess.to_dict(),
    }
    call = {"command": command, "time": datetime.now(UTC).isoformat(timespec="seconds"), "version": __version__}
    if manifest.is_file():
        recorded = read_json_object(manifest)
        calls, _ = recorded.pop("calls", []), recorded.pop("images", None)
        for model in recorded["model"] if isinstance(recorded.get("model"), list) else [recorded.get("model")]:
            if isinstance(model, dict):  # of before there was a confidence
                model |= {"appearance": None, "calibration": None}
        if recorded != json.loads(json.dumps(settings)):
            raise InputError(
                f"{out}: holds masks of another model or of other settings; choose another folder with -o.",
                code="other-masks",
                path=out,
            )
        write_json(manifest, {**settings, "calls": [*calls, call]})
    elif out.exists() and (out.is_file() or any(out.iterdir())):
        found = "a file" if out.is_file() else "other files"
        raise InputError(
            f"{out}: expected a new or empty folder, but found {found}; choose another with -o.",
            code="not-empty",
            path=out,
        )
    else:
        write_json(manifest, {**settings, "calls": [call]})
