"""Predict whole slides in blocks of tiles: tissue only, resumable, in bounded memory; outlines, table and pyramids as results."""

import hashlib
import io
import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tmunet.config import to_dict
from tmunet.data.json_object import read_json_object
from tmunet.errors import InputError, TMUNetWarning, UsageError
from tmunet.files import open_atomic, write_bytes, write_json
from tmunet.formats.geojson import Feature, write_geojson
from tmunet.formats.ome_pyramid import write_pyramid
from tmunet.formats.slide_reader import Slide
from tmunet.model import TrainedModel, load_model
from tmunet.prediction.pipeline import Stages
from tmunet.prediction.predictor import Model, Predictor
from tmunet.prediction.slide_objects import SlideObject, find_objects
from tmunet.prediction.tissue import find_tissue
from tmunet.progress import progress_bar
from tmunet.temporary import remove_leftovers

_COLUMNS = ("object", "class", "area_px", "area_um2", "centroid_x_px", "centroid_y_px")


@dataclass(frozen=True)
class PredictedSlide:
    """The result of `predict_slide`: where its files are, and what is on the slide."""

    outlines: Path
    objects: int
    tissue: float
    """Share of the slide that was predicted."""
    done_before: bool = False


def create_slide_predictor(models: Sequence[Model], **options: Any) -> Predictor:
    """Create a predictor that takes images at the scale of the network: a slide is read at a stated resolution.

    Raises:
        ModelError: a model cannot be loaded.
        UsageError: an option that `Predictor` refuses.
    """
    loaded = [one if isinstance(one, TrainedModel) else load_model(one) for one in models]
    own = [replace(one, config=replace(one.config, scale=None)) for one in loaded]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=TMUNetWarning, message="The model does not state the scale")
        return Predictor(own, tile_size=own[0].config.preprocess.size, **options)


def working_mpp(models: Sequence[Model], given: float | None) -> float:
    """Return the micrometers per pixel to work at: those given, or those of the first model's training.

    Raises:
        UsageError: neither is known (code "mpp"), or not above 0 (code "value").
    """
    if given is not None:
        if not given > 0:
            raise UsageError(f"Expected --mpp to be above 0, but got {given}.", code="value")
        return given
    first = models[0]
    scale = (first if isinstance(first, TrainedModel) else load_model(first)).config.scale
    if scale is None or scale.mm_per_network_pixel is None:
        raise UsageError(
            "Expected --mpp, micrometers per pixel at which the model was trained: it does not state them itself.",
            code="mpp",
        )
    return scale.mm_per_network_pixel * 1000


def predict_slide(
    predictor: Predictor,
    path: Path,
    out: Path,
    mpp: float,
    slide_mpp: float | None = None,
    batch: Callable[[], None] | None = None,
) -> PredictedSlide:
    """Predict a slide and write NAME.geojson.gz, NAME_objects.csv, NAME_labels.ome.tif and NAME_probability.ome.tif.

    Blocks are written to ``out/NAME.blocks`` as soon as they are predicted; a call that was interrupted goes on from them and
    writes the same bytes. They are removed at the end.

    Args:
        predictor: of `create_slide_predictor`.
        path: the slide.
        out: folder.
        mpp: micrometers per pixel at which the network sees the slide.
        slide_mpp: those of the full resolution where the file does not state them.
        batch: called after each block.

    Raises:
        InputError: the slide cannot be read, its resolution is unknown, or `out` holds results of other settings.
    """
    slide = Slide(path, mpp, slide_mpp)
    work = _Work(predictor, slide, out, mpp)
    files = work.files()
    if work.begin() and all(file.exists() for file in files.values()) and not work.folder.exists():
        state = read_json_object(files["settings"])
        return PredictedSlide(files["outlines"], int(state["objects"]), float(state["tissue"]), done_before=True)
    tissue = work.predict(batch or (lambda: None))
    count = work.write()
    write_json(files["settings"], {**work.settings, "tissue": tissue, "objects": count})
    shutil.rmtree(work.folder, ignore_errors=True)
    return PredictedSlide(files["outlines"], count, tissue)


class _Work:
    """A slide in blocks, each of several tiles so that tiles of the network fit without waste: 8, 5 or 2 and a margin."""

    def __init__(self, predictor: Predictor, slide: Slide, out: Path, mpp: float) -> None:
        tile = predictor.tile_size
        assert tile is not None
        self.predictor, self.slide, self.out, self.mpp = predictor, slide, out, mpp
        self.size = slide.size
        self.block = tile * (8 if tile <= 256 else 5 if tile <= 512 else 2)
        self.margin = tile // 4
        self.overview = 32 if self.block % 32 == 0 else 16  # pixels for one of the overview that tissue is found in
        self.folder = out / f"{slide.path.stem}.blocks"
        self.settings = self._settings()

    def files(self) -> dict[str, Path]:
        """Return the files of the result; the settings tell a result of another model from this one."""
        stem = self.slide.path.stem
        names = {
            "settings": f"{stem}.json",
            "outlines": f"{stem}.geojson.gz",
            "table": f"{stem}_objects.csv",
            "labels": f"{stem}_labels.ome.tif",
            "probability": f"{stem}_probability.ome.tif",
        }
        return {name: self.out / file for name, file in names.items()}

    def begin(self) -> bool:
        """Record the settings, or check those that are there; return whether they were."""
        path = self.files()["settings"]
        if path.is_file():
            recorded = read_json_object(path)
            if any(recorded.get(name) != value for name, value in json.loads(json.dumps(self.settings)).items()):
                raise InputError(
                    f"{path}: is of another slide, model or setting; choose another folder with -o.",
                    code="other-masks",
                    path=path,
                )
            for file in self.files().values():  # of a process that was killed while it wrote
                for part in self.out.glob(f".{file.name}.*"):
                    part.unlink()
            return True
        write_json(path, self.settings)
        return False

    def _settings(self) -> dict[str, Any]:
        predictor = self.predictor
        configs = [one.config for one in (predictor, *predictor.others)]
        models = [to_dict(replace(config, provenance={}, operating_point=None)) for config in configs]
        return {
            "slide": _fingerprint(self.slide.path),
            "model": models[0] if len(models) == 1 else models,
            "weights_sha256": predictor.weights_sha256(),
            "mpp": self.mpp,
            "size": list(self.size),
            "tile_size": predictor.tile_size,
            "tta": predictor.tta,
            "backend": predictor.backend,
            "precision": predictor.precision,
            "threshold": predictor.postprocess.threshold,
        }

    def predict(self, after: Callable[[], None]) -> float:
        """Predict all blocks with tissue that are not there; return their share of the slide."""
        places = self._tissue_blocks()
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder.parent)
        waiting = [place for place in places if not self._path(*place).exists()]
        with (
            progress_bar(total=len(waiting), desc="predict slide", unit="block") as bar,
            ThreadPoolExecutor(1) as reader,
            ThreadPoolExecutor(1) as writer,
        ):
            try:
                reading = [reader.submit(self._read, *place) for place in waiting[:1]]
                writing = None
                for index, place in enumerate(waiting):
                    pixels = reading.pop().result()
                    reading += [reader.submit(self._read, *following) for following in waiting[index + 1 : index + 2]]
                    found = self._predict_block(place, pixels)
                    if writing is not None:
                        writing.result()
                    writing = writer.submit(_save, self._path(*place), *found)
                    after()
                    bar.update()
                if writing is not None:
                    writing.result()
            finally:
                reader.shutdown(cancel_futures=True)
        return sum(np.prod(self._shape(*place)) for place in places) / (self.size[0] * self.size[1])

    def _tissue_blocks(self) -> list[tuple[int, int]]:
        height, width = (-(-length // self.overview) for length in self.size)
        side = self.block // self.overview
        places = []
        for row in range(-(-height // side)):  # a strip at a time, with what its margin needs
            strip = find_tissue(self.slide.read(row * side - 4, 0, side + 8, width, self.overview))[4:-4]
            strip = strip[: height - row * side]
            columns = range(-(-width // side))
            places += [(row, column) for column in columns if strip[:, column * side : (column + 1) * side].any()]
        return places

    def _shape(self, row: int, column: int) -> tuple[int, int]:
        return min(self.block, self.size[0] - row * self.block), min(self.block, self.size[1] - column * self.block)

    def _read(self, row: int, column: int) -> NDArray[np.uint8]:
        height, width = self._shape(row, column)
        top, left = row * self.block - self.margin, column * self.block - self.margin
        return self.slide.read(top, left, height + 2 * self.margin, width + 2 * self.margin)

    def _predict_block(
        self, place: tuple[int, int], pixels: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Labels and foreground probability, 0 to 255, of a block."""
        pipeline: Stages = self.predictor.pipeline
        loaded = pipeline.load(pixels)
        (probability,) = pipeline.predict_each([pipeline.prepare(loaded)])
        prediction = pipeline.finish(probability, (pixels.shape[0], pixels.shape[1]))
        height, width = self._shape(*place)
        inner = np.s_[self.margin : self.margin + height, self.margin : self.margin + width]
        foreground = np.rint((1 - prediction.probability[0]) * 255).astype(np.uint8)
        return np.ascontiguousarray(prediction.mask[inner]), np.ascontiguousarray(foreground[inner])

    def _path(self, row: int, column: int) -> Path:
        return self.folder / f"{row}_{column}.npz"

    def labels(self, row: int, column: int) -> NDArray[np.uint8] | None:
        """Labels of a block; None without tissue."""
        return self._load(row, column, "labels")

    def probability(self, row: int, column: int) -> NDArray[np.uint8] | None:
        """Foreground probability of a block, 0 to 255; None without tissue."""
        return self._load(row, column, "probability")

    def _load(self, row: int, column: int, name: str) -> NDArray[np.uint8] | None:
        path = self._path(row, column)
        if not path.exists():
            return None
        with np.load(path) as archive:
            return np.asarray(archive[name])

    def write(self) -> int:
        """Write outlines, table and pyramids from the blocks; return the number of objects."""
        files, classes = self.files(), self.predictor.config.classes
        with open_atomic(files["table"]) as table:
            table.write((",".join(_COLUMNS) + "\n").encode())
            features = self._features(find_objects(self, len(classes)), table)
            count = write_geojson(files["outlines"], features, self.slide.scale)
        for name, read in (("labels", self.labels), ("probability", self.probability)):
            write_pyramid(files[name], self.size, self.block, read, self.mpp, f"{self.slide.path.stem} {name}")
        return count

    def _features(self, objects: Iterator[SlideObject], table: Any) -> Iterator[Feature]:
        classes = self.predictor.config.classes
        for one in objects:
            area = one.area * self.mpp**2
            name = classes[one.class_label]
            x, y = one.centroid[0] * self.slide.scale[0], one.centroid[1] * self.slide.scale[1]
            quoted = '"' + name.replace('"', '""') + '"' if set(name) & set(',"\n') else name
            table.write(f"{one.outline.label},{quoted},{one.area},{area:.4f},{x:.2f},{y:.2f}\n".encode())
            measured = {"Area px": one.area, "Area µm^2": round(area, 4)}
            yield Feature(one.outline, name, one.class_label, measured, self.settings["slide"], object_type="detection")


def _save(path: Path, block_labels: NDArray[np.uint8], probability: NDArray[np.uint8]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, labels=block_labels, probability=probability)
    write_bytes(path, buffer.getvalue())


def _fingerprint(path: Path) -> str:
    """Hash of the size and both ends of a file: a slide has gigabytes."""
    digest, end = hashlib.sha256(), path.stat().st_size
    digest.update(str(end).encode())
    with path.open("rb") as file:
        digest.update(file.read(1 << 20))
        file.seek(max(0, end - (1 << 20)))
        digest.update(file.read(1 << 20))
    return digest.hexdigest()
