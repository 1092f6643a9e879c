"""Run a training: from its settings and data to its run folder."""

import hashlib
import os
import shlex
import warnings
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler

from tmunet.data.cached_dataset import Batch, CachedCases, cache_cases
from tmunet.data.dataset import Dataset, open_dataset
from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.data.reader import Legends
from tmunet.data.split.leakage import LeakReport, find_leaks
from tmunet.data.split.near_duplicates import Signature
from tmunet.data.training_stats import Appearance, AppearanceRange, Intensity, Scale, Turns
from tmunet.device import Device, choose_device
from tmunet.errors import DataError, InputError, InterruptedRunError, UsageError
from tmunet.model import TrainedModel, check_size, load_model, save_model
from tmunet.model_config import ModelConfig
from tmunet.prediction.calibrate import MIN_IMAGES, calibrate
from tmunet.prediction.predictor import Predictor
from tmunet.pretrained import load_pretrained
from tmunet.progress import logger
from tmunet.temporary import remove_leftovers
from tmunet.text import pluralize
from tmunet.training.activation_checkpointing import checkpoint_stages
from tmunet.training.callbacks import MetricsLog, ProgressBar, Throughput
from tmunet.training.checkpoints import check_checkpoint, finished_epochs, kept_weights
from tmunet.training.data_checks import (
    check_labels,
    warn_absent_classes,
    warn_leakage,
    warn_low_intensity,
    warn_normalization,
)
from tmunet.training.module import SegmentationModule
from tmunet.training.run_folder import RunFolder
from tmunet.training.start import merge_start, start_that_is_better, warn_known_to_start
from tmunet.training.time_budget import describe_plan, fit_into, measure_speed
from tmunet.training.train_config import TrainConfig
from tmunet.training.trainer import build_trainer
from tmunet.transfer import transfer

VALIDATION_BATCH = 8  # images; validation keeps no gradients, so its batch only has to be cheap


def train(config: TrainConfig, dataset: Dataset | None = None) -> RunFolder:
    """Train from fresh or pretrained weights into a new run folder.

    Args:
        config: the settings.
        dataset: the data set; by default `config.data` is opened.

    Raises:
        UsageError: the run folder exists already, or a setting does not fit.
        MissingExtraError: the package with the pretrained weights is not installed.
        DataError: all faults of the data set, before the first epoch and before anything is written.
    """
    run = RunFolder(config.run_folder)
    if _is_first_process() and run.path.exists() and any(run.path.iterdir()):
        raise UsageError(
            f"{run.path}: the run folder exists already. Continue it with --resume {shlex.quote(str(run.path))}, or choose "
            "another with --out.",
            code="exists",
            path=run.path,
        )
    choose_device(config.device)  # an error of ours before one of Lightning's
    if dataset is None:
        dataset = open_dataset(Path(config.data), Path(config.split) if config.split else None, config.seed)
    if not dataset.split.train:
        raise InputError(
            f"{config.split or config.data}: expected a split with images to train, but train is empty.",
            code="no-training",
        )
    return _fit(replace(config, precision=_precision(config)), dataset, run)


def resume(path: Path, epochs: int | None = None) -> RunFolder:
    """Continue an interrupted run from its last checkpoint, with its own settings and split.

    Args:
        path: the run folder.
        epochs: train on to this number of epochs, those that are done included. The learning rate schedule is that of a run of so
            many epochs from here on: a cosine one, which had come to zero, rises again.

    Raises:
        UsageError: the folder is not a run that can be continued, or its settings were edited.
        DataError: the data set has faults or is not what it was.
    """
    run = RunFolder(path)
    config = replace(run.read_config(), out=str(path))
    remove_leftovers(path)
    run.check_settings(config)
    dataset = open_dataset(run.data(), run.split)
    if epochs is not None and epochs != config.epochs:
        finished = finished_epochs(run.last)
        if epochs <= finished:
            raise UsageError(
                f"Expected more epochs than the {finished} that {path} has finished, but got {epochs}.", code="value"
            )
        config = replace(config, epochs=epochs)
        run.change_settings(config)
        logger.info(
            "%s trains on to epoch %d; the learning rate follows the %s schedule of that many epochs from epoch %d on.",
            path, epochs, config.optimizer.schedule, finished + 1,
        )  # fmt: skip
    return _fit(config, dataset, run, resuming=True)


def _fit(config: TrainConfig, dataset: Dataset, run: RunFolder, resuming: bool = False) -> RunFolder:
    train_cases, val_cases, test_cases, leaks = _load_cases(dataset, config)
    validates = check_labels(dataset, train_cases, val_cases, config.monitor, warn=_is_first_process())
    if _is_first_process():
        warn_absent_classes(dataset, {**train_cases.present, **val_cases.present, **test_cases.present})
    data_hash = hashlib.sha256((train_cases.sha256() + val_cases.sha256()).encode()).hexdigest()
    if resuming:
        run.check_data(data_hash, dataset.info.classes)
    pl.seed_everything(config.seed, verbose=False)
    model_config = ModelConfig(
        config.model,
        config.model_args,
        dataset.info.classes,
        config.preprocess,
        Scale.of(train_cases.sizes, config.preprocess.size),
        Intensity.typical(train_cases.intensities),
        Turns.of(config.augment),
        appearance=AppearanceRange.of([Appearance.of(image.transpose(1, 2, 0)) for image in train_cases.images]),
    )
    network = model_config.create_network()
    check_size(network, config.preprocess.size, "preprocess.size")
    begun = resuming and run.last.exists()
    origin: dict[str, Any] | None = None
    if config.pretrained and not begun:
        origin = dict(load_pretrained(network, config.pretrained))
    start = None if config.from_ is None else load_model(config.from_)
    if start is not None and not begun:
        moved = transfer(network, model_config, start)
        origin = moved.to_dict(str(config.from_), start)
        logger.info("Start from %s: %s.", config.from_, "; ".join(moved.changes) or "all weights as they are")
        if _is_first_process():
            warn_known_to_start(dataset, {"val": val_cases.hashes, "test": test_cases.hashes}, start.fingerprint)
    if config.checkpointing:
        checkpoint_stages(network)
    if config.minutes is not None and not resuming:
        pace = measure_speed(network, config, train_cases, val_cases if validates else None)
        config = fit_into(config, pace, len(train_cases))
        logger.info(describe_plan(config, pace, len(train_cases)))
    module = SegmentationModule(network, config, train_cases.names, -(-len(train_cases) // config.batch_size))
    title = (
        f"{config.model} ({sum(p.numel() for p in network.parameters()):,} parameters), {pluralize(config.epochs, 'epoch')} of "
        f"{pluralize(len(train_cases), 'image')} of {dataset.info.name}, {len(val_cases)} to validate, run folder {run.path}"
    )
    log, speed = MetricsLog(run.metrics, module), Throughput()
    trainer = build_trainer(config, run, [log, ProgressBar(title), speed], validates=validates)
    validation = _loader(val_cases, VALIDATION_BATCH) if validates else None
    if origin is not None and validation is not None and origin.get("head") == []:  # a new head has learned nothing yet
        origin["validation"] = _validate(trainer, module, validation)
    if trainer.is_global_zero and not resuming:
        machine = {"device": _name_of(trainer.strategy.root_device), "threads": torch.get_num_threads()}
        machine["processes"] = config.devices * config.nodes
        run.start(config, dataset, data_hash, leaks, machine, origin)
    world = config.devices * config.nodes
    sampler: DistributedSampler[Batch] = DistributedSampler(
        train_cases, world, trainer.global_rank, shuffle=True, seed=config.seed
    )
    loader = _loader(train_cases, config.batch_size // world, sampler)
    _launch(trainer, module, loader, validation, run if begun else None)
    if trainer.is_global_zero:
        network.load_state_dict(kept_weights(run.last if validation is None else run.best, module.device))
        provenance = run.describe(log.rows, config, speed.speed)
        seen = TrainingFingerprint(train_cases.hashes, val_cases.hashes)
        if start is not None:
            seen = merge_start(seen, start.fingerprint)
            if (found := start_that_is_better(provenance, config.monitor)) is not None:
                transfer(network, model_config, start)
                logger.info(
                    "The start is kept: training did not improve its %s of %.4f on the validation images (%.4f).",
                    config.monitor, found[config.monitor], provenance[config.monitor],
                )  # fmt: skip
                provenance |= {"trained_val_dice": provenance["val_dice"], "trained_val_loss": provenance["val_loss"]}
                provenance |= {**found, "kept_epoch": 0, "kept_weights": "start"}
                of_start = start.config  # the images of this run taught it nothing
                model_config = replace(
                    model_config,
                    scale=of_start.scale,
                    intensity=of_start.intensity,
                    turns=of_start.turns,
                    appearance=of_start.appearance,
                )
        model_config = replace(model_config, provenance=provenance)
        if len(val_cases) >= MIN_IMAGES:
            model_config = _calibrated(network, model_config, dataset, config.device)
        save_model(run.model, network, model_config, seen)
    return run


def _calibrated(network: nn.Module, model_config: ModelConfig, dataset: Dataset, device: Device) -> ModelConfig:
    """Add the expected Dice of masks to the configuration, where enough validation images have a mask."""
    trained = TrainedModel(deepcopy(network).eval().requires_grad_(False), model_config)
    try:
        fitted = calibrate(Predictor(trained, device=device), dataset)
    except InputError as error:
        if error.code != "few-images":
            raise
        return model_config
    return replace(model_config, calibration=fitted)


def _validate(trainer: pl.Trainer, module: SegmentationModule, validation: DataLoader[Batch]) -> dict[str, float]:
    """Validation scores of the weights before training."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        (found,) = trainer.validate(module, validation, verbose=False)
    module.kept_weights = "raw" if module.average is None else "average"
    return {name: float(value) for name, value in found.items()}


def _launch(
    trainer: pl.Trainer,
    module: SegmentationModule,
    loader: DataLoader[Batch],
    validation: DataLoader[Batch] | None,
    resumed: RunFolder | None,
) -> None:
    """Train from fresh weights, or from the last checkpoint of a run."""
    last = None if resumed is None else str(resumed.last)
    if resumed is not None:
        check_checkpoint(resumed.last, averages=module.average is not None)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning")  # workers, which the cache does not need
            trainer.fit(module, loader, validation, ckpt_path=last, weights_only=True)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        size, batch = module.settings.preprocess.size, module.settings.batch_size
        raise InputError(
            f"Training: BatchNorm needs more than one value a channel, but the last of {len(module.names)} images is alone in "
            f"its batch of up to {batch}, and {size} pixels leave one value of it in the deepest stage. Choose a larger "
            "--preprocess.size, or another --batch-size.",
            code="batch-of-one",
        ) from error
    except SystemExit:  # how Lightning ends after Ctrl-C and SIGTERM
        raise InterruptedRunError(
            f"Training was interrupted in epoch {trainer.current_epoch + 1} of {module.settings.epochs}. "
            f"Continue with: {shlex.join(['tmunet', 'train', '--resume', str(module.settings.run_folder)])}"
        ) from None


def _load_cases(dataset: Dataset, config: TrainConfig) -> tuple[CachedCases, CachedCases, CachedCases, LeakReport]:
    """Training, validation and test cases, and data leakage."""
    faults: list[str] = []
    loaded = []
    legends: Legends = []
    signatures: dict[str, Signature] = {}
    for side in ("train", "val", "test"):
        cases, small, found = cache_cases(dataset.subset(side), dataset.info, config.preprocess, legends)
        loaded.append(cases)
        signatures |= small
        faults += found
    if faults:
        raise DataError(str(dataset.folder), faults)
    leaks = find_leaks(dataset.split, {case.name: case.group for case in dataset.cases}, signatures)
    if _is_first_process():
        warn_low_intensity(dataset, loaded[0].intensities, config)
        warn_normalization(config)
        warn_leakage(dataset, leaks)
    return loaded[0], loaded[1], loaded[2], leaks


def _loader(cases: CachedCases, batch_size: int, sampler: Any = None) -> DataLoader[Batch]:
    return DataLoader(cases, batch_size, sampler=sampler, collate_fn=_as_is)


def _as_is(batch: Any) -> Any:
    return batch


def _precision(config: TrainConfig) -> Literal["float32", "bfloat16"]:
    """Resolve `precision: auto` for this device; the run folder keeps the result."""
    if config.precision != "auto":
        return config.precision
    on_cuda = config.device in ("auto", "cuda") and torch.cuda.is_available()
    return "bfloat16" if on_cuda and torch.cuda.is_bf16_supported() else "float32"


def _name_of(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _is_first_process() -> bool:
    """Whether this is rank 0, by the variables of torchrun, Slurm and Lightning's launcher."""
    return not any(int(os.environ.get(name, 0)) for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"))
