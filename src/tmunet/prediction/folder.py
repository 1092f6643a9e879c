"""Predict image files into a folder of mask files: in batches, resumable, and not stopped by a file that cannot be read.

Threads read the next images and write the former masks while the network runs.
"""

import errno
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tmunet import __version__
from tmunet.config import to_dict
from tmunet.data.cases import natural_key, warn_skipped_files
from tmunet.data.io.dicom import is_bare_dicom
from tmunet.data.io.images import IMAGE_SUFFIXES, Pixels
from tmunet.data.json_object import read_json_object
from tmunet.data.parallel import MAX_WORKERS
from tmunet.errors import InputError, UsageError
from tmunet.files import sha256, write_json
from tmunet.formats.dicom_image import parse_window
from tmunet.machines.pool import ONE_AT_A_TIME, Pool, check_shared, split_parts
from tmunet.prediction.backends.names import MaskFormat
from tmunet.prediction.confidence_table import write_confidence
from tmunet.prediction.dicom_files import DicomOptions, check_inputs, predict_dicom
from tmunet.prediction.domain_shift import DomainShift
from tmunet.prediction.mask_files import write_overlay, write_probabilities
from tmunet.prediction.mask_writers import MASK_WRITERS, PredictedImage
from tmunet.prediction.pipeline import Stages
from tmunet.prediction.predictor import Predictor
from tmunet.prediction.predictor_settings import PredictorSettings
from tmunet.progress import progress_bar
from tmunet.temporary import remove_leftovers

MANIFEST = "predictions.json"

_P = ParamSpec("_P")
_T = TypeVar("_T")


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
        images = [c for c in shown if (c.suffix.lower() in IMAGE_SUFFIXES and c.is_file()) or is_bare_dicom(c)]
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
    mask_format: MaskFormat = "png",
    window: str = "file",
    pool: Pool | None = None,
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
        mask_format: a name in `tmunet.prediction.mask_writers.MASK_WRITERS`; segmentations are of DICOM images only, and outlines
            are files beside the masks.
        window: of gray DICOM images: "file", "full" or "CENTER,WIDTH".
        pool: workers that predict, each a part of the images, and share the disk; images are named by their absolute paths then.

    Raises:
        InputError: `out` holds other files or the masks of another model, or a worker does not see it.
        UsageError: `batch_size` is below 1, or workers cannot load the model.
        WorkerError: workers were lost again and again.
        MissingExtraError: the format needs a package that is not installed.

    Warns:
        TMUNetWarning: once about all images with a domain shift.
    """
    if batch_size < 1:
        raise UsageError(f"Expected `batch_size` to be at least 1, but got {batch_size}.", code="value")
    MASK_WRITERS[mask_format].require()
    images = images if pool is None else [image.absolute() for image in images]
    options = DicomOptions(mask_format, parse_window(window))
    check_inputs(images, options)
    remove_leftovers(out)
    _check_manifest(out, predictor, command, {} if window == "file" else {"window": window})
    writing = _Writing(out.absolute(), overlays, probabilities, batch_size, mask_format, options)
    done = (
        _predict_part(predictor, writing, images)
        if pool is None
        else _predict_in_pool(pool, predictor, writing, images)
    )
    done.warn()
    faults = (*done.faults, *done.dicom_faults)
    rows = write_confidence(out, images, mask_format, done.frames)
    write_json(out / MANIFEST, {**read_json_object(out / MANIFEST), "images": rows})
    flagged = tuple(dict.fromkeys(row["image"] for row in rows if row["flags"]))
    return PredictedFiles(len(images) - len(faults), done.done_before, faults, flagged)


@dataclass(frozen=True)
class _Writing:
    """What is written for each image, and where; pickled for workers."""

    out: Path
    overlays: bool
    probabilities: bool
    batch_size: int
    mask_format: MaskFormat
    dicom: DicomOptions


@dataclass
class _Part:
    """What became of some images; those of several workers are merged in the order of the images."""

    shift: DomainShift
    dicom_shift: DomainShift
    done_before: int = 0
    faults: list[str] = field(default_factory=list)
    dicom_faults: list[str] = field(default_factory=list)
    frames: dict[Path, int] = field(default_factory=dict)

    def merge(self, other: "_Part") -> None:
        self.shift.merge(other.shift)
        self.dicom_shift.merge(other.dicom_shift)
        self.done_before += other.done_before
        self.faults += other.faults
        self.dicom_faults += other.dicom_faults
        self.frames |= other.frames

    def warn(self) -> None:
        self.dicom_shift.warn()
        self.shift.warn()


def _no_images(predictor: Predictor) -> _Part:
    config, tile_size = predictor.config, predictor.tile_size
    return _Part(DomainShift(config, tile_size), DomainShift(config, tile_size))


def _predict_in_pool(pool: Pool, predictor: Predictor, writing: _Writing, images: Sequence[Path]) -> _Part:
    """Predict parts of the images on workers, which write the masks themselves; a part that is done again skips what is there."""
    total, parts = _no_images(predictor), split_parts(images, pool.workers)
    work = partial(_predict_as_worker, PredictorSettings.of(predictor), writing)
    with progress_bar(total=len(images), desc="predict", unit="image") as bar:
        for part, done in zip(parts, pool.map(work, parts), strict=True):
            total.merge(done)
            bar.update(len(part))
    return total


def _predict_as_worker(settings: PredictorSettings, writing: _Writing, images: Sequence[Path]) -> _Part:
    check_shared(writing.out / MANIFEST)
    with ONE_AT_A_TIME:
        return _predict_part(settings.create(), writing, images)


def _predict_part(predictor: Predictor, writing: _Writing, images: Sequence[Path]) -> _Part:
    """Predict images in this process, and write their masks."""
    out, mask_format, batch_size = writing.out, writing.mask_format, writing.batch_size
    overlays, probabilities = writing.overlays, writing.probabilities
    dicom = predict_dicom(predictor, images, out, writing.dicom, overlays, batch_size, probabilities)
    classes = predictor.config.classes
    waiting = [
        image
        for image in images
        if image not in dicom.images and not _is_done(out, image, classes, overlays, probabilities, mask_format)
    ]
    part = _no_images(predictor)
    if dicom.shift is not None:
        part.dicom_shift.merge(dicom.shift)
    part.dicom_faults, part.frames = [str(fault) for fault in dicom.faults], dicom.frames
    part.done_before = len(images) - len(waiting) - len(dicom.images) + dicom.done_before

    read = partial(_read, predictor.pipeline, out, prepare=predictor.tile_size is None)
    write = partial(_write, predictor.pipeline, out, overlays, probabilities, mask_format)
    with progress_bar(total=len(waiting), desc="predict", unit="image") as bar, _Workers(batch_size) as workers:
        batches = [waiting[start : start + batch_size] for start in range(0, len(waiting), batch_size)]
        reading = [workers.start(read, image) for image in batches[0]] if batches else []
        for batch, following in pairwise([*batches, []]):
            current = reading
            reading = [workers.start(read, image) for image in following]
            loaded: dict[Path, _Loaded] = {}
            for image, future in zip(batch, current, strict=True):
                found = future.result()
                if isinstance(found, str):
                    part.faults.append(found)
                else:
                    loaded[image] = found
                    part.shift.add(str(image), found.pixels)
            for ready in [list(loaded.items())] if predictor.tile_size is None else [[one] for one in loaded.items()]:
                _predict_batch(predictor.pipeline, ready, write, workers)
            bar.update(len(batch))
    return part


class _Workers:
    """Threads that read and write files while the network runs, with a bounded number of masks that wait to be written.

    Leaving it waits for the files that are begun; after an exception, such as Ctrl-C, those not begun are left out.
    """

    def __init__(self, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(min(MAX_WORKERS, os.cpu_count() or 1))
        self._waiting, self._writing = waiting, deque[Future[None]]()

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            while kind is None and self._writing:
                self._writing.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def start(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Start a call."""
        return self._pool.submit(function, *args, **kwargs)

    def write(self, function: Callable[_P, None], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Start to write a file, once few enough wait; raises what an earlier one raised."""
        while len(self._writing) >= self._waiting:
            self._writing.popleft().result()
        self._writing.append(self._pool.submit(function, *args, **kwargs))


@dataclass(frozen=True)
class _Loaded:
    """An image, and what `Stages.prepare` makes of it; None with a sliding window, whose inputs are as large as the images."""

    pixels: Pixels
    x: Any


def _read(pipeline: Stages, out: Path, image: Path, prepare: bool) -> _Loaded | str:
    """Load and preprocess an image file, or return why it cannot be read or its mask not be written."""
    try:
        os.lstat(out / f"{image.stem}.png")
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return f"{image}: its mask cannot be written: {error.strerror}; rename the image."
    try:
        pixels = pipeline.load(image)
    except InputError as error:
        return str(error)
    return _Loaded(pixels, pipeline.prepare(pixels) if prepare else None)


def _predict_batch(
    pipeline: Stages, images: Sequence[tuple[Path, _Loaded]], write: Callable[..., None], workers: _Workers
) -> None:
    if not images:
        return
    inputs = [pipeline.prepare(one.pixels) if one.x is None else one.x for _, one in images]
    for (image, loaded), probability in zip(images, pipeline.predict_each(inputs), strict=True):
        workers.write(write, image, loaded.pixels, probability)


def _write(
    pipeline: Stages,
    out: Path,
    overlays: bool,
    probabilities: bool,
    mask_format: MaskFormat,
    image: Path,
    pixels: Pixels,
    probability: Any,
) -> None:
    """Postprocess, and write the files of an image; the mask comes last, since an image with a mask is done."""
    prediction = pipeline.finish(probability, (pixels.shape[0], pixels.shape[1]))
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
    confidence = prediction.confidence.to_dict()
    predicted = PredictedImage(image, sha256(image), 1, prediction.classes, confidences=(confidence,))
    if not MASK_WRITERS["png"].is_done(out / f"{image.stem}.png", predicted):
        for writer in MASK_WRITERS.values():
            former = out / f"{image.stem}{writer.suffix}"  # of a former image of this name
            if os.path.lexists(former):  # False too for a name that is too long with this suffix
                former.unlink()
    writer = MASK_WRITERS[mask_format]
    writer.write(out / f"{image.stem}{writer.suffix}", predicted, prediction.mask[None])


def _is_done(
    out: Path, image: Path, classes: Sequence[str], overlays: bool, probabilities: bool, mask_format: MaskFormat
) -> bool:
    """Return whether the mask of exactly this image is there."""
    name = f"{image.stem}.png"
    files = [out / "overlays" / name] if overlays else []
    files += [out / "probabilities" / f"{image.stem}.npz"] if probabilities else []
    writer = MASK_WRITERS[mask_format]
    try:
        return all(file.exists() for file in files) and writer.is_done(
            out / f"{image.stem}{writer.suffix}", PredictedImage(image, sha256(image), 1, tuple(classes))
        )
    except OSError:  # a name that is too long, of which `_read` makes a fault
        return False


def _check_manifest(out: Path, predictor: Predictor, command: str | None, more: dict[str, Any]) -> None:
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
        **more,
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
