"""`tmunet train`: train a network on images and masks."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from tmunet.cli.parser import parse, value_of
from tmunet.cli.process_setup import prepare_process
from tmunet.config import deep_merge, from_mapping
from tmunet.errors import UsageError
from tmunet.extras import require
from tmunet.training.train_config import TrainConfig, read_recipe

RESUME = (
    "An interrupted run goes on with: tmunet train --resume RUN (and no other flag). A finished one trains on with: "
    "tmunet train --resume RUN --epochs N, of which those that are done count. All folds of a k-fold cross-validation, in "
    "OUT/fold_0 to fold_K-1, with the test images of the split in none: --folds K; the same command resumes them."
)


def run(arguments: Sequence[str]) -> int:
    """Start a run from flags, or continue one with `--resume RUN`, to `--epochs N` if they are given."""
    folds, arguments = _take_folds(arguments)
    resumed = value_of("--resume", arguments)
    if resumed is None and "--resume" in arguments:
        raise UsageError("Expected a run folder behind --resume: tmunet train --resume RUN", code="missing")
    epochs = value_of("--epochs", arguments)
    if resumed is not None:
        words = 2 if any(word == "--resume" for word in arguments) else 1
        words += 0 if epochs is None else 2 if "--epochs" in arguments else 1
        if len(arguments) > words or (epochs is not None and not epochs.isdecimal()):
            raise UsageError(
                "Expected nothing beside --resume RUN but --epochs N: a run continues with its own settings.",
                code="flags",
            )
    else:
        if value_of("--minutes", arguments) is not None and (epochs is not None or folds is not None):
            raise UsageError(
                "Expected either --minutes or --epochs, which --folds needs: each fold trains as many.", code="flags"
            )
        recipe = value_of("--recipe", arguments) or TrainConfig.recipe
        settings = read_recipe(recipe)
        from_mapping(TrainConfig, {**settings, "data": "the recipe alone"}, where=recipe)
        if (start := value_of("--from", arguments)) is not None:
            require("pytorch_lightning", extra="train")
            from tmunet.training.start import start_settings

            settings = deep_merge({**settings, "model_args": {}}, start_settings(start))
        config = parse(TrainConfig, arguments, "train", defaults={"recipe": recipe, **settings}, notes=RESUME)
    prepare_process()
    require("pytorch_lightning", extra="train")
    from tmunet.training.fit import resume, train

    if folds is not None and resumed is None:
        from tmunet.training.folds import train_folds

        runs = train_folds(config, folds)
        models = " ".join(f"-m {shlex.quote(str(run.path))}" for run in runs)
        print(f"Models: {', '.join(str(run.model) for run in runs)}\nAverage them: tmunet predict IMAGES {models}")
        return 0
    finished = train(config) if resumed is None else resume(Path(resumed), int(epochs) if epochs else None)
    score = shlex.join(["tmunet", "evaluate", "--model", str(finished.path)])
    print(f"Model: {finished.model}\nScore it on the test images: {score}")
    return 0


def _take_folds(arguments: Sequence[str]) -> tuple[int | None, Sequence[str]]:
    """Take --folds K out of the flags: it is about several runs, whose settings are the other flags."""
    given = value_of("--folds", arguments)
    if given is None and "--folds" not in arguments:
        return None, arguments
    if given is None or not given.isdecimal() or value_of("--resume", arguments) is not None:
        raise UsageError(
            "Expected --folds K, a whole number, without --resume: the same command again resumes the folds.",
            code="flags",
        )
    rest = [word for word in arguments if not word.startswith("--folds=")]
    if "--folds" in rest:
        place = rest.index("--folds")
        del rest[place : place + 2]
    return int(given), rest
