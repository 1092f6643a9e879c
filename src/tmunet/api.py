"""Train and evaluate from Python: what `tmunet train` and `tmunet evaluate` compute, without their tables and pages."""

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmunet.config import deep_merge, from_mapping, nest
from tmunet.errors import UsageError

if TYPE_CHECKING:
    from tmunet.data.item_dataset import Items
    from tmunet.evaluation import Evaluation
    from tmunet.model import TrainedModel
    from tmunet.training.run_folder import RunFolder

DEFAULT_CLASSES = ("background", "foreground")


def train(
    data: "str | Path | Items",
    recipe: str = "paper",
    *,
    val: "Items | None" = None,
    classes: Sequence[str] | None = None,
    ignore_label: int | None = None,
    **settings: Any,
) -> "RunFolder":
    """Train a network on a data set; the run folder that is returned holds the model, the settings and the metrics.

        run = tmunet.train("my-data", recipe="strong", epochs=100, out="runs/mine")
        scores = tmunet.evaluate(run.path, "my-data")

    Args:
        data: data set folder (images/, masks/) or its split file; or a torch Dataset of training items (image, mask): the image
            (C, H, W) as a tensor or (H, W, C) as an array, of 8 or 16 bits or floats between 0 and 1, the mask (H, W) of labels.
            Items are read once, at their own size; resizing, normalization and augmentation are settings.
        val: torch Dataset of validation items, which choose the epoch that is kept; without it the last is.
        classes: names of the labels of a Dataset, the background first; by default background and foreground.
        ignore_label: 255 if masks of a Dataset mark pixels to ignore with it.
        recipe: name or YAML file of the recipe that the other settings start from.
        settings: fields of `TrainConfig`, those of its parts nested (``optimizer={"learning_rate": 1e-3}``), dotted, or
            plain where only one part has such a field (``learning_rate=1e-3``). ``from_="nuclei-t"`` starts from a trained model,
            and ``minutes=6`` sizes the training by time instead of ``epochs``.

    Raises:
        UsageError: an unknown setting or a value that does not fit, `epochs` beside `minutes`, the run folder exists already, or
            `val`, `classes` or `ignore_label` beside a folder, whose files say them.
        DataError: all faults of the data set, before the first epoch.
    """
    from tmunet.data.item_dataset import IN_MEMORY, dataset_of_items
    from tmunet.training.fit import train as fit
    from tmunet.training.train_config import TrainConfig, read_recipe

    if isinstance(data, str | PathLike) and (
        given := [k for k, v in (("val", val), ("classes", classes), ("ignore_label", ignore_label)) if v]
    ):
        raise UsageError(
            f"Expected no {' nor '.join(given)} beside the folder {data}: its split and its dataset.json say it.",
            code="value",
        )
    if settings.get("minutes") is not None and settings.get("epochs") is not None:
        raise UsageError("Expected either `minutes` or `epochs`, but got both.", code="value")
    plain = {name: fspath(value) if isinstance(value, PathLike) else value for name, value in settings.items()}
    where = fspath(data) if isinstance(data, str | PathLike) else IN_MEMORY
    nested = nest(TrainConfig, {**plain, "data": where, "recipe": recipe}, "tmunet.train")
    base = {key: value for key, value in read_recipe(recipe).items() if key != "model_args" or key not in nested}
    if (start := nested.get("from_")) is not None:
        from tmunet.training.start import start_settings

        base = deep_merge({**base, "model_args": {}}, start_settings(start))
    config = from_mapping(TrainConfig, deep_merge(base, nested), "tmunet.train")
    if isinstance(data, str | PathLike):
        return fit(config)
    return fit(config, dataset_of_items({"train": data, "val": val}, classes or DEFAULT_CLASSES, ignore_label))


def evaluate(
    model: "str | Path | TrainedModel | Sequence[str | Path | TrainedModel]",
    data: "str | Path | Items",
    *,
    split: str | Path | None = None,
    subset: str = "test",
    protocol: str = "strict",
    seed: int = 0,
    allow_train_images: bool = False,
    ignore_label: int | None = None,
    **predictor: Any,
) -> "Evaluation":
    """Score a trained model on a subset of a data set; without a split file all images are in test.

    Args:
        model: run folder, model folder, or a loaded model; several are averaged.
        data: data set folder (images/, masks/) or its split file; or a torch Dataset of items (image, mask) as for `train`, whose
            labels are those of the model, all of which are scored.
        split: split file; by default split.json of the data set.
        subset: "train", "val" or "test".
        protocol: "strict" or "paper"; see `tmunet.metrics`.
        seed: of the bootstrap intervals.
        ignore_label: 255 if masks of a torch Dataset mark pixels to ignore with it.
        allow_train_images: score images although the model was trained on them or chosen by them.
        predictor: `tta`, `tile_size`, `backend`, `device`, `precision`, `threshold`, `keep`, `fill_holes`, `min_size`; see
            `Predictor`.

    Raises:
        InputError: the model's classes are not those of the data set, the subset is empty, or the model was trained on it.
        DataError: all faults of the images and masks.
    """
    from tmunet.data.dataset import open_dataset
    from tmunet.data.item_dataset import dataset_of_items
    from tmunet.evaluation import evaluate as score
    from tmunet.metrics import get_protocol
    from tmunet.prediction.predictor import Predictor

    trained = Predictor(model, **predictor)
    if isinstance(data, str | PathLike):
        dataset = open_dataset(Path(data), None if split is None else Path(split), unsplit="test")
    elif split is not None:
        raise UsageError("Expected no `split` beside a torch Dataset, all of whose items are scored.", code="value")
    else:
        dataset = dataset_of_items({subset: data}, trained.config.classes, ignore_label)
    facts = {"threshold": trained.postprocess.threshold}
    return score(trained, dataset, subset, get_protocol(protocol), seed, facts, allow_train_images)
