"""`tmunet demo`: train, evaluate and predict on the sample images that come with the package."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from tmunet.cli.parser import parse
from tmunet.cli.process_setup import prepare_process
from tmunet.config import from_mapping
from tmunet.extras import require
from tmunet.training.train_config import TrainConfig, read_recipe

GOAL = 0.85  # mean test Dice; three random starts of the default settings gave 0.864, 0.861 and 0.844


@dataclass(frozen=True)
class DemoConfig:
    """Train tmunet_t on a sample of nuclei, score it on test images, write their masks and a report."""

    out: str = "runs/demo"
    """Run folder; an interrupted demo is resumed, beside a finished one a new one is started (runs/demo-2)."""
    epochs: int | None = None
    """Number of epochs; by default that of the recipe demo."""
    seed: int = 0
    """Seed of weights, shuffling and augmentation."""


def run(arguments: Sequence[str]) -> int:
    """Train, evaluate, report, predict; print the score table and the paths."""
    config = parse(DemoConfig, arguments, "demo")
    prepare_process()
    from tmunet.cli.evaluate import EvaluateConfig, evaluate_and_report
    from tmunet.data.dataset import open_dataset
    from tmunet.prediction.folder import predict_files
    from tmunet.prediction.predictor import Predictor

    require("pytorch_lightning", extra="train")
    start = time.monotonic()
    sample = open_dataset(sample_folder())
    sides = {side: len(names) for side, names in sample.split.to_dict().items()}
    print(
        f"1/3 Train tmunet_t on {sides['train']} images of nuclei, with {sides['val']} validation images.",
        flush=True,
    )
    finished = _train(config)
    print(f"2/3 Score it on the {sides['test']} test images, with test-time augmentation.", flush=True)
    scores = evaluate_and_report(EvaluateConfig(model=str(finished), tta=True))
    print("3/3 Write the masks of the test images.", flush=True)
    images = [case.image for case in sample.subset("test")]
    predict_files(Predictor(finished, tta=True), images, finished / "masks", overlays=True)
    assert scores.dice is not None  # there are nuclei on the test images of the sample
    print(f"\n{scores.text}\n{_verdict(scores.dice)}\nMasks: {finished / 'masks'}")
    print(f"The demo took {time.monotonic() - start:.0f} s.")
    return 0


def sample_folder() -> Path:
    """Folder of the sample images."""
    return Path(str(resources.files("tmunet") / "sample"))


def _train(config: DemoConfig) -> Path:
    from tmunet.training.fit import resume, train
    from tmunet.training.run_folder import RunFolder

    for attempt in itertools.count(1):
        run = RunFolder(Path(config.out if attempt == 1 else f"{config.out}-{attempt}"))
        if run.config.is_file() and not run.model.exists():
            print(f"Resuming the interrupted demo in {run.path}.", flush=True)
            return resume(run.path).path
        if not run.path.exists():
            break
    given = {"data": str(sample_folder()), "out": str(run.path), "recipe": "demo", "seed": config.seed}
    epochs = {} if config.epochs is None else {"epochs": config.epochs}
    return train(from_mapping(TrainConfig, {**read_recipe("demo"), **given, **epochs}, where="tmunet demo")).path


def _verdict(dice: float) -> str:
    if dice >= GOAL:
        return f"Mean Dice {dice:.3f}: at least {GOAL:.2f}, as expected of this demo."
    return (
        f"Mean Dice {dice:.3f}: below {GOAL:.2f}; random starts of the default settings gave 0.84 to 0.86, and fewer epochs "
        "give less. The report shows the worst images first."
    )
