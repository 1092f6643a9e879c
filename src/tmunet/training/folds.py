"""Train all folds of a k-fold cross-validation into one folder: `tmunet train --folds K`."""

from dataclasses import replace
from pathlib import Path

from tmunet.data.dataset import Dataset, open_dataset
from tmunet.data.split.scan import scan_cases
from tmunet.data.split.splits import Split, write_split
from tmunet.data.split.strategies import check_folds, cross_validation_with_fixed_test, restrict
from tmunet.errors import UsageError
from tmunet.progress import logger
from tmunet.temporary import whole_folder
from tmunet.training.fit import resume, train
from tmunet.training.run_folder import RunFolder
from tmunet.training.train_config import TrainConfig


def train_folds(config: TrainConfig, folds: int) -> list[RunFolder]:
    """Train each fold into `fold_0`, `fold_1`, ... of the run folder; the same call goes on where a former one stopped.

    Test is that of the split of the data set, in no fold. Each other case is in val once, with its group and images of the same
    scene, so that the average of all folds (`Predictor([...])`) can be scored on test.

    Args:
        config: the settings; its split names the test images.
        folds: number of folds, at least 2.

    Raises:
        UsageError: the folder holds folds of other settings, or fewer than 2 folds.
        InputError: there are too few groups.
        DataError: all faults of the data set.
    """
    check_folds(folds)
    out = config.run_folder
    paths = [out / "splits" / f"fold_{fold}.json" for fold in range(folds)]
    there = sorted((out / "splits").glob("fold_*.json"))
    if there and there != sorted(paths):
        raise UsageError(
            f"{out}: holds {len(there)} folds, not {folds}; choose another folder with --out.",
            code="other-folds",
            path=out,
        )
    if not there:
        dataset = open_dataset(Path(config.data), Path(config.split) if config.split else None, config.seed)
        with whole_folder(out / "splits") as splits:
            for path, split in zip(paths, split_folds(dataset, folds, config.seed), strict=True):
                write_split(splits / path.name, split)
    folder = Path(config.data)
    folder = folder.parent if folder.suffix.lower() == ".json" else folder
    runs = []
    for fold, path in enumerate(paths):
        own = replace(config, data=str(folder), split=str(path), out=str(out / f"fold_{fold}"))
        run = RunFolder(own.run_folder)
        logger.info("Fold %d of %d: %s", fold + 1, folds, run.path)
        if run.is_begun:
            _check_settings(run, own)
            runs.append(run if run.is_finished else resume(run.path))
        else:
            runs.append(train(own))
    return runs


def split_folds(dataset: Dataset, folds: int, seed: int) -> tuple[Split, ...]:
    """Split train and val of a data set into folds of whole groups, balanced in foreground and classes; test stays."""
    scan = scan_cases(dataset.cases, dataset.info, str(dataset.folder))
    rest = restrict(scan.clusters, (*dataset.split.train, *dataset.split.val))
    return cross_validation_with_fixed_test(rest, dataset.split.test, folds, seed, scan.strata, scan.to_balance)


def _check_settings(run: RunFolder, config: TrainConfig) -> None:
    found = run.read_config()
    if replace(found, precision=config.precision, out=config.out) != config:  # "auto" is resolved in the run
        raise UsageError(
            f"{run.path}: holds a fold that was trained with other settings; choose another folder with --out.",
            code="other-settings",
            path=run.path,
        )
