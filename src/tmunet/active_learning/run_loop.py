"""Run an active learning loop up to the user's next step: predict, queue, take corrected masks, train, keep the better model."""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmunet.active_learning.corrected_masks import changed_since, find_corrected, take_corrected
from tmunet.active_learning.loop_config import LoopConfig
from tmunet.active_learning.loop_folder import LoopFolder, RoundFolder
from tmunet.active_learning.review_queue import queue_images
from tmunet.api import evaluate, train
from tmunet.config import from_mapping
from tmunet.data.cases import Case
from tmunet.data.json_object import read_json_object
from tmunet.data.split.splits import Split
from tmunet.errors import TMUNetWarning, UsageError
from tmunet.files import write_json
from tmunet.metrics import mean_over_classes
from tmunet.model import load_model, save_model, serialize
from tmunet.model_config import CONFIG
from tmunet.prediction.dicom_files import find_loops
from tmunet.prediction.folder import find_images
from tmunet.prediction.predictor import DEFAULT_MODEL
from tmunet.progress import logger
from tmunet.text import pluralize
from tmunet.training.fit import resume
from tmunet.training.train_config import TrainConfig, read_recipe


@dataclass(frozen=True)
class LoopState:
    """Where a loop stands: what was decided, and what waits for the user.

    Attributes:
        decisions: content of `decision.json` of each finished round, with its "round".
        model: folder of the best model so far.
        round: the round that waits for corrected masks.
        left: number of images without a corrected mask.
        waiting: corrected masks that came before this round did, such as while a model was trained; the next call takes them.
        faults: images that could not be predicted, and why.
    """

    decisions: tuple[dict[str, Any], ...]
    model: Path
    round: RoundFolder
    left: int
    waiting: int = 0
    faults: tuple[str, ...] = ()


def run_loop(config: LoopConfig) -> LoopState:
    """Go on with a loop, or begin one, up to where the user corrects masks; resumable at any point, nothing is overwritten.

    A round is: predict the images that are not corrected, queue them with the least certain first, wait for corrected masks,
    train on from the model of the round with all of them, and keep the new model if its Dice on the validation images is not
    lower (protocol strict, mean over the classes, at the size of the images).

    Raises:
        UsageError: the folder holds other files, or a loop of another model, validation share or seed, or the recipe is not
            there or faulty.
        InputError: there are no images, or the corrected masks do not suffice to train and validate.
        DataError: all faults of the corrected masks; nothing is taken then.
        ModelError: there is no such model.
        InterruptedRunError: a training was interrupted.
    """
    # a fault of the recipe shows before anybody corrects masks
    from_mapping(TrainConfig, {**read_recipe(config.recipe), "data": "the recipe alone"}, where=config.recipe)
    images = find_images(config.images)
    if several := find_loops(images):
        raise UsageError(
            f"{several[0]}: expected a still image, but got several frames.", code="frames", path=several[0]
        )
    loop = LoopFolder(Path(config.out))
    _begin(loop, config)
    loop.corrected.mkdir(exist_ok=True)
    cases = find_corrected(loop.corrected, images)
    left = [image for image in images if image.stem not in {case.name for case in cases}]
    begun = loop.rounds() or [RoundFolder(loop.path, 1)]
    current, former = begun[-1], begun[-2] if len(begun) > 1 else None
    if current.decision() is None and (current.has_data or (current.is_queued and changed_since(cases, former))):
        _train_and_decide(loop, current, former, cases, config)
    if current.decision() is not None:
        current, former = RoundFolder(loop.path, current.number + 1), current
    model = loop.model_of(current.number)
    faults: tuple[str, ...] = ()
    if not current.is_queued:
        faults = queue_images(left, model, current, config.images_per_round, config.device)
    return LoopState(_decisions(loop), model, current, len(left), len(changed_since(cases, former)), faults)


def _begin(loop: LoopFolder, config: LoopConfig) -> None:
    """Write the settings and a copy of the start model, or check that those of a begun loop are the same."""
    if loop.settings.is_file():
        recorded = read_json_object(loop.settings)
    elif loop.path.exists() and (loop.path.is_file() or any(path != loop.corrected for path in loop.path.iterdir())):
        raise UsageError(
            f"{loop.path}: expected a new or empty folder, or one of a loop, but found other files; choose another with -o.",
            code="not-empty",
            path=loop.path,
        )
    else:
        recorded = {}
    fixed: dict[str, Any] = {"val_share": config.val_share, "seed": config.seed}
    name = config.model or recorded.get("model", DEFAULT_MODEL)
    if config.model is not None or not (loop.start / CONFIG).is_file():
        model = load_model(name)
        fixed["weights_sha256"] = hashlib.sha256(serialize(model.network)).hexdigest()
    for key, value in fixed.items() if recorded else ():
        if recorded.get(key) != value:
            raise UsageError(
                f"{loop.path}: holds a loop with {key} {recorded.get(key)}, but got {value}; give the command that it began "
                "with, or choose another folder with -o.",
                code="other-settings",
                path=loop.settings,
            )
    if not recorded:
        write_json(loop.settings, {"model": name, **fixed})
    if not (loop.start / CONFIG).is_file():
        save_model(loop.start, model.network, model.config, model.fingerprint)


def _train_and_decide(
    loop: LoopFolder, current: RoundFolder, former: RoundFolder | None, cases: Sequence[Case], config: LoopConfig
) -> None:
    model, start = loop.model_of(current.number), load_model(loop.start)
    if not current.has_data:
        sides = Split(()) if former is None else former.split()
        classes = start.config.classes
        take_corrected(cases, classes, current, sides, start.fingerprint, config.val_share, config.seed)
    split, run = current.split(), current.training
    logger.info(
        "Round %d: train on from %s with %s, %d to validate.",
        current.number, model, pluralize(len(split.train), "corrected image"), len(split.val),
    )  # fmt: skip
    with warnings.catch_warnings():
        # that the model was selected on the validation images holds in every round; none of them trained it
        warnings.filterwarnings("ignore", message=".*data leakage through the weights", category=TMUNetWarning)
        if run.is_begun and not run.is_finished:
            resume(run.path)
        elif not run.is_begun:
            epochs: dict[str, Any] = {} if config.epochs is None else {"epochs": config.epochs}
            train(
                current.data, config.recipe, from_=str(model), out=str(run.path), seed=config.seed, device=config.device,
                **epochs,
            )  # fmt: skip
    before, after = (_dice(one, current, config) for one in (model, run.path))
    is_kept = keeps_new(before, after, load_model(run.path).config.provenance["kept_weights"])
    write_json(
        current.decision_file,
        {
            "corrected": len(split.train) + len(split.val),
            "train": len(split.train),
            "val": len(split.val),
            "val_dice_before": before,
            "val_dice_after": after,
            "kept": "new" if is_kept else "former",
            "model": (run.path if is_kept else model).relative_to(loop.path).as_posix(),
        },
    )


def keeps_new(before: float, after: float, kept_weights: str) -> bool:
    """Return whether a new model is kept: its Dice is not lower, and its training did not itself keep the former weights.

    >>> keeps_new(0.8, 0.8, "raw"), keeps_new(0.8, 0.8, "start"), keeps_new(0.8, 0.79, "raw")
    (True, False, False)
    """
    return after >= before and kept_weights != "start"


def _dice(model: Path, round_: RoundFolder, config: LoopConfig) -> float:
    """Mean Dice over the classes on the validation images of a round."""
    dice = mean_over_classes(evaluate(model, round_.data, subset="val", device=config.device).summaries, "dice")
    assert dice is not None  # an image that validates shows a class
    return dice


def _decisions(loop: LoopFolder) -> tuple[dict[str, Any], ...]:
    found = ((one.number, one.decision()) for one in loop.rounds())
    return tuple({"round": number, **decision} for number, decision in found if decision is not None)
