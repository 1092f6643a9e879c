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
    "tmunet train --resume RUN --epochs N, of which those that are done count."
)


def run(arguments: Sequence[str]) -> int:
    """Start a run from flags, or continue one with `--resume RUN`, to `--epochs N` if they are given."""
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

    finished = train(config) if resumed is None else resume(Path(resumed), int(epochs) if epochs else None)
    score = shlex.join(["tmunet", "evaluate", "--model", str(finished.path)])
    print(f"Model: {finished.model}\nScore it on the test images: {score}")
    return 0
