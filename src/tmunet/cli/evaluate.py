"""`tmunet evaluate`: score a trained model, or the masks of any program, against reference masks."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tmunet.cli.parser import parse
from tmunet.cli.paths import file_name
from tmunet.cli.process_setup import prepare_process
from tmunet.cli.score_table import score_table
from tmunet.data.json_object import read_json_object
from tmunet.errors import UsageError
from tmunet.prediction.backends.names import THRESHOLD, TORCH, BackendName, Precision
from tmunet.temporary import remove_leftovers

if TYPE_CHECKING:
    from tmunet.data.dataset import Dataset
    from tmunet.evaluation import Evaluation
    from tmunet.prediction.predictor import Predictor
    from tmunet.training.run_folder import RunFolder

OF_A_MODEL = (
    "tile_size",
    "tta",
    "threshold",
    "tune_threshold",
    "calibrate",
    "allow_train_images",
    "dask",
    "slurm",
)  # flags that do not go with --predictions


@dataclass(frozen=True)
class EvaluateConfig:
    """Score a trained model, or masks that any program wrote, on images with reference masks."""

    model: str | None = None
    """Run or model folder, or user/name on the Hugging Face Hub."""
    predictions: str | None = None
    """Folder of masks of any program to score instead of a model: NAME.png for the image NAME, at its size, with the labels of
    the data set."""
    data: str | None = None
    """Data set folder or its split file; by default what the run was trained on."""
    split: str | None = None
    """Split file; by default the run's own split, for other data split.json, and without that file all images are scored."""
    subset: Literal["train", "val", "test"] | None = None
    """Subset of the split to score; by default test, and val with --tune-threshold or --calibrate."""
    protocol: str = "strict"
    """strict: native size, every image counts. paper: as the paper's released code, at 512 x 512."""
    out: str | None = None
    """Folder for scores and report; by default evaluation/DATA-SUBSET-PROTOCOL-..., in the run folder if there is one."""
    tile_size: int | None = None
    """Sliding window with tiles of this many pixels, at the scale of the training images, instead of resizing each image."""
    tta: bool = False
    """Test-time augmentation: average over the flips of the training augmentation."""
    backend: BackendName = TORCH
    """torch: PyTorch in eager mode. compile: torch.compile. cudagraph: CUDA graphs. onnx, openvino: export the network first."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    precision: Precision = "float32"
    """Precision of the network; tf32 on cuda only."""
    threshold: float | None = None
    """Foreground probability above which a pixel is foreground; by default that of the model (see --tune-threshold), or 0.5."""
    tune_threshold: bool = False
    """Choose the threshold of the highest mean Dice on the val images (0.01 to 0.99; of equal ones the nearest to 0.5) and store
    it with the model, for every later evaluate, predict and export."""
    calibrate: bool = False
    """Fit the expected Dice of masks on the val images, at least 10, and store it with the model, for predict and export. Of
    this threshold, tile size and tta."""
    seed: int = 0
    """Seed of the bootstrap intervals."""
    dask: str | None = None
    """Score with the workers of a Dask scheduler, such as tcp://head:8786, which share the disk; local: one worker a core."""
    slurm: dict[str, Any] | None = None
    """Score in jobs of a Slurm cluster, with these settings of submitit, such as '{slurm_partition: gpu, timeout_min: 60}'."""
    allow_train_images: bool = False
    """Score images even if the model was trained or selected on them (data leakage)."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"Expected `seed` not to be below 0, but got {self.seed}.")
        if (self.model is None) == (self.predictions is None):
            raise ValueError(
                "Expected either --model, to predict and score, or --predictions FOLDER, to score masks that are there."
            )
        if self.predictions is not None and (unused := [name for name in OF_A_MODEL if getattr(self, name)]):
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
            raise ValueError(f"Expected no {flags} beside --predictions: it changes how a model predicts.")
        if self.tune_threshold and self.threshold is not None:
            raise ValueError("Expected either --threshold, to set it, or --tune-threshold, to choose it.")
        if self.calibrate and self.subset not in (None, "val"):
            raise ValueError(
                f"Expected --calibrate to work on the val images, but got --subset {self.subset}: an expected Dice fitted on "
                "test images cannot be checked on them. Calibrate first, then evaluate --subset test."
            )
        if self.tune_threshold and self.subset not in (None, "val"):
            raise ValueError(
                f"Expected --tune-threshold to work on the val images, but got --subset {self.subset}: a threshold chosen on "
                "test images makes their scores too high. Tune first, then evaluate --subset test."
            )
        if self.subset is None:
            object.__setattr__(self, "subset", "val" if self.tune_threshold or self.calibrate else "test")

    @property
    def side(self) -> str:
        """The subset to score."""
        assert self.subset is not None
        return self.subset


def run(arguments: Sequence[str]) -> int:
    """Score, write per_image.csv, summary.json and report.html, and print the table."""
    config = parse(EvaluateConfig, arguments, "evaluate")
    prepare_process()
    print((evaluate_and_report(config) if config.predictions is None else score_and_report(config)).text)
    return 0


@dataclass(frozen=True)
class Scored:
    """The score table with the paths of the files, and the mean Dice over the classes in the images."""

    text: str
    dice: float | None


def evaluate_and_report(config: EvaluateConfig) -> Scored:
    """Evaluate, write scores and report, and return the score table."""
    from tmunet.data.dataset import open_dataset
    from tmunet.evaluation import evaluate
    from tmunet.files import sha256
    from tmunet.machines.pool import open_pool
    from tmunet.metrics import get_protocol, mean_over_classes
    from tmunet.model_config import WEIGHTS, find_model
    from tmunet.prediction.predictor import Predictor
    from tmunet.report import write_report
    from tmunet.report.build import assemble
    from tmunet.training.run_folder import RunFolder
    from tmunet.versions import versions

    assert config.model is not None
    protocol = get_protocol(config.protocol)
    model = find_model(Path(config.model))
    run = RunFolder(model.parent) if (model.parent / "config.yaml").is_file() else None
    data, split = _data_of(config, run)
    dataset = open_dataset(data, split, unsplit="test")
    predictor = Predictor(
        model,
        tile_size=config.tile_size,
        tta=config.tta,
        backend=config.backend,
        device=config.device,
        precision=config.precision,
        threshold=config.threshold,
    )
    tuned = _tune(config, predictor, dataset, model, run) if config.tune_threshold or config.calibrate else ""
    threshold = predictor.postprocess.threshold
    facts = {
        "command": shlex.join(["tmunet", *sys.argv[1:]]),
        "model": str(config.model),
        "weights_sha256": sha256(model / WEIGHTS),
        "tile_size": config.tile_size,
        "window_scale": _window_scale(predictor),
        "tta": config.tta,
        "backend": config.backend,
        "precision": config.precision,
        "threshold": threshold,
        "threshold_source": predictor.threshold_source,
        "device": str(predictor.device),
        "trained": predictor.config.provenance,
        "versions": versions(),
    }
    parent = run.path / "evaluation" if run else Path("evaluation")
    folder = Path(config.out or parent / _name(config, dataset.info.name, threshold))
    compared = ("weights_sha256", "tile_size", "window_scale", "tta", "backend", "precision", "threshold")
    settings = {name: facts[name] for name in compared}
    sides = {"split_sha256": dataset.split.sha256, "subset": config.side}
    refuse_other_scores(folder, protocol.name, settings | sides)
    with open_pool(config.dask, config.slurm, folder.with_name(f"{folder.name}-jobs")) as pool:
        evaluation = evaluate(
            predictor, dataset, config.side, protocol, config.seed, facts, config.allow_train_images, pool
        )
    refuse_other_scores(folder, protocol.name, {"images_sha256": evaluation.facts["images_sha256"]})
    evaluation.write(folder)
    metrics = run.metrics if run and run.metrics.is_file() else None
    write_report(folder / "report.html", assemble(evaluation, predictor, dataset, metrics))
    shown = f"{_shown(evaluation, folder)}{tuned}"
    if threshold != THRESHOLD and not config.tune_threshold:
        shown += f"\nThreshold {predictor.threshold_source}."
    return Scored(shown, mean_over_classes(evaluation.summaries, "dice"))


def _tune(
    config: EvaluateConfig, predictor: "Predictor", dataset: "Dataset", model: Path, run: "RunFolder | None"
) -> str:
    """Choose the threshold, fit the expected Dice, store them in the model folder, and say so."""
    from tmunet.model import save_config
    from tmunet.model_config import CONFIG, packaged_model
    from tmunet.prediction.calibrate import calibrate
    from tmunet.prediction.operating_point import tune_threshold

    if model.resolve().parent == packaged_model().resolve().parent:
        raise UsageError(
            f"{config.model} is a packaged model, which all programs share: copy the folder {model} and tune the copy.",
            code="packaged",
        )
    if config.model is not None and not Path(config.model).exists():
        raise UsageError(
            f"{config.model} lies in the cache of the Hugging Face Hub: copy the folder {model} and tune the copy.",
            code="packaged",
        )
    own = run is not None and run.split.is_file() and dataset.folder.resolve() == run.named_data().resolve()
    kept = read_json_object(run.split).get("test", []) if own and run is not None else []
    found = []
    if config.tune_threshold:
        point = tune_threshold(predictor, dataset, kept)
        predictor.use_operating_point(point)
        found.append(f"Threshold {point}")
    if config.calibrate:
        fitted = calibrate(predictor, dataset, kept)
        predictor.use_calibration(fitted)
        found.append(f"Confidence: {fitted}")
    save_config(model, predictor.config)
    return (
        f"\n{'; '.join(found)}; stored in {model / CONFIG} and used from now on. These scores are of the images that it was "
        "chosen on: score others, with --subset test."
    )


def score_and_report(config: EvaluateConfig) -> Scored:
    """Score the masks of a folder, write scores and report, and return the score table."""
    from tmunet.data.dataset import open_dataset
    from tmunet.evaluate_predictions import evaluate_predictions, open_masks
    from tmunet.metrics import get_protocol, mean_over_classes
    from tmunet.report import write_report
    from tmunet.report.build import assemble
    from tmunet.versions import versions

    assert config.predictions is not None
    if config.data is None:
        raise UsageError(
            f"{config.predictions} does not say which images its masks are of; give --data.", code="missing"
        )
    protocol = get_protocol(config.protocol)
    dataset = open_dataset(Path(config.data), Path(config.split) if config.split else None, unsplit="test")
    masks = open_masks(Path(config.predictions), dataset, config.side)
    name = f"{file_name(masks.path.resolve().name)}-{_name(config, dataset.info.name)}"
    folder = Path(config.out or Path("evaluation") / name)
    sides = {"split_sha256": dataset.split.sha256, "subset": config.side}
    refuse_other_scores(folder, protocol.name, {"predictions": str(masks.path), **sides})
    facts = {"command": shlex.join(["tmunet", *sys.argv[1:]]), "versions": versions()}
    evaluation = evaluate_predictions(masks, dataset, config.side, protocol, config.seed, facts)
    hashes = {key: evaluation.facts[key] for key in ("images_sha256", "predictions_sha256")}
    refuse_other_scores(folder, protocol.name, hashes)
    evaluation.write(folder)
    write_report(folder / "report.html", assemble(evaluation, masks, dataset))
    return Scored(_shown(evaluation, folder), mean_over_classes(evaluation.summaries, "dice"))


def _shown(evaluation: "Evaluation", folder: Path) -> str:
    files = f"Scores: {folder / 'per_image.csv'}, {folder / 'summary.json'}\nReport: {folder / 'report.html'}"
    return f"{score_table(evaluation)}\n\n{files}"


def _window_scale(predictor: "Predictor") -> list[float] | None:
    """Network pixels per image pixel in height and width; None without a sliding window or a known scale."""
    scale = predictor.config.scale
    return None if predictor.tile_size is None or scale is None else [scale.height.median, scale.width.median]


def _data_of(config: EvaluateConfig, run: "RunFolder | None") -> tuple[Path, Path | None]:
    """Find the data set and split file from the flags, or from the run where they are not given."""
    split = Path(config.split) if config.split else None
    if run is None and config.data is None:
        raise UsageError(
            f"{config.model} is no run folder, so it does not say which images to score; give --data.", code="missing"
        )
    if config.data is not None and (run is None or Path(config.data).resolve() != run.named_data().resolve()):
        return Path(config.data), split
    assert run is not None
    return run.data(), split or run.split


def _name(config: EvaluateConfig, data: str, threshold: float = THRESHOLD) -> str:
    """Name the folder of scores by data, subset, protocol and the settings that differ from their defaults."""
    settings = [
        f"tile{config.tile_size}" if config.tile_size else "",
        "tta" if config.tta else "",
        config.backend if config.backend != TORCH else "",
        config.precision if config.precision != EvaluateConfig.precision else "",
        f"threshold{threshold:g}" if threshold != THRESHOLD else "",
        Path(config.split).stem if config.split else "",
    ]
    return "-".join([file_name(data), config.side, config.protocol, *filter(None, settings)])


def refuse_other_scores(folder: Path, protocol: str, facts: Mapping[str, Any]) -> None:
    """Check that an existing folder holds scores of the same model, images and settings; only those are overwritten."""
    summary = folder / "summary.json"
    remove_leftovers(folder)
    if not folder.exists() or (folder.is_dir() and {file.name for file in folder.iterdir()} <= {"per_image.csv"}):
        return  # interrupted before the summary was written
    content = read_json_object(summary) if summary.is_file() else {}
    if not isinstance(found := content.get("facts"), Mapping):
        raise UsageError(
            f"{folder}: expected a new or empty folder, or one with scores; choose another with --out.",
            code="not-empty",
            path=folder,
        )
    found = {**found, "protocol": content.get("protocol")}
    for what, expected in {"protocol": protocol, **facts}.items():
        if found.get(what, expected) != expected:
            raise UsageError(
                f"{folder}: holds scores of another model, split, data set or setting: expected {what} "
                f"{expected!s:.12}, but found {found[what]!s:.12}; choose another folder with --out.",
                code="other-scores",
                path=folder,
            )
