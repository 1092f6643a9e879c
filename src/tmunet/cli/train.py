"""`tmunet train`: train a network on images and masks."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from tmunet.cli.parser import parse, value_of
from tmunet.cli.process_setup import prepare_process
from tmunet.config import from_mapping
from tmunet.errors import UsageError
from tmunet.extras import require
from tmunet.training.train_config import TrainConfig, read_recipe

RESUME = "An interrupted run goes on with: tmunet train --resume RUN (and no other flag)."


def run(arguments: Sequence[str]) -> int:
    """Start a run from flags, or continue one with `--resume RUN`."""
    resumed = value_of("--resume", arguments)
    if resumed is None and "--resume" in arguments:
        raise UsageError("Expected a run folder behind --resume: tmunet train --resume RUN", code="missing")
    if resumed is not None and len(arguments) > 2:
        raise UsageError("Expected nothing beside --resume RUN: a run continues with its own settings.", code="flags")
    if resumed is None:
        recipe = value_of("--recipe", arguments) or TrainConfig.recipe
        settings = read_recipe(recipe)
        from_mapping(TrainConfig, {**settings, "data": "the recipe alone"}, where=recipe)
        config = parse(TrainConfig, arguments, "train", defaults={"recipe": recipe, **settings}, notes=RESUME)
    prepare_process()
    require("pytorch_lightning", extra="train")
    from tmunet.training.fit import resume, train

    finished = train(config) if resumed is None else resume(Path(resumed))
    score = shlex.join(["tmunet", "evaluate", "--model", str(finished.path)])
    print(f"Model: {finished.model}\nScore it on the test images: {score}")
    return 0
