"""Train and evaluate from Python: what `tmunet train` and `tmunet evaluate` compute, without their tables and pages."""

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmunet.config import deep_merge, from_mapping, nest

if TYPE_CHECKING:
    from tmunet.evaluation import Evaluation
    from tmunet.model import TrainedModel
    from tmunet.training.run_folder import RunFolder


def train(data: str | Path, recipe: str = "paper", **settings: Any) -> "RunFolder":
    """Train a network on a data set; the run folder that is returned holds the model, the settings and the metrics.

    Args:
        data: data set folder (images/, masks/) or its split file.
        recipe: name or YAML file of the recipe that the other settings start from.
        settings: fields of `TrainConfig`, those of its parts nested (``optimizer={"learning_rate": 1e-3}``), dotted, or
            plain where only one part has such a field (``learning_rate=1e-3``).

    Raises:
        UsageError: an unknown setting or a value that does not fit, or the run folder exists already.
        DataError: all faults of the data set, before the first epoch.

        run = tmunet.train("my-data", recipe="strong", epochs=100, out="runs/mine")
        scores = tmunet.evaluate(run.path, "my-data")
    """
    from tmunet.training.fit import train as fit
    from tmunet.training.train_config import TrainConfig, read_recipe

    plain = {name: fspath(value) if isinstance(value, PathLike) else value for name, value in settings.items()}
    given = nest(TrainConfig, {**plain, "data": fspath(data), "recipe": recipe}, "tmunet.train")
    base = {key: value for key, value in read_recipe(recipe).items() if key != "model_args" or key not in given}
    return fit(from_mapping(TrainConfig, deep_merge(base, given), "tmunet.train"))


def evaluate(
    model: "str | Path | TrainedModel",
    data: str | Path,
    *,
    split: str | Path | None = None,
    subset: str = "test",
    protocol: str = "strict",
    seed: int = 0,
    allow_train_images: bool = False,
    **predictor: Any,
) -> "Evaluation":
    """Score a trained model on a subset of a data set; without a split file all images are in test.

    Args:
        model: run folder, model folder, or a loaded model.
        data: data set folder (images/, masks/) or its split file.
        split: split file; by default split.json of the data set.
        subset: "train", "val" or "test".
        protocol: "strict" or "paper"; see `tmunet.metrics`.
        seed: of the bootstrap intervals.
        allow_train_images: score images although the model was trained on them or chosen by them.
        predictor: `tta`, `tile_size`, `backend`, `device`, `precision`; see `Predictor`.

    Raises:
        InputError: the model's classes are not those of the data set, the subset is empty, or the model was trained on it.
        DataError: all faults of the images and masks.
    """
    from tmunet.data.dataset import open_dataset
    from tmunet.evaluation import evaluate as score
    from tmunet.metrics import get_protocol
    from tmunet.prediction.predictor import Predictor

    dataset = open_dataset(Path(data), None if split is None else Path(split), unsplit="test")
    trained = Predictor(model, **predictor)
    return score(trained, dataset, subset, get_protocol(protocol), seed, allow_train_images=allow_train_images)
