"""Model card of a shared model: license, intended use, scores, hashes of weights and training images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.data.json_object import read_json_object
from tmunet.extras import require
from tmunet.model import TAGS, model_card
from tmunet.model_config import ModelConfig
from tmunet.text import pluralize


@dataclass(frozen=True)
class Score:
    """The scores of one class on one set of images, by `tmunet evaluate`.

    Attributes:
        data: name of the data set.
        subset: "train", "val" or "test".
        protocol: "strict" or "paper".
        name: of the class.
        images: number of scored images.
        dice: mean over the images, and the ends of its 95 % interval; None without a value.
        hd95: mean 95 % Hausdorff distance.
        unit: of the distance, "pixels" or "mm".
    """

    data: str
    subset: str
    protocol: str
    name: str
    images: int
    dice: tuple[float | None, float | None, float | None]
    hd95: float | None
    unit: str


@dataclass(frozen=True)
class Sharing:
    """What the card of a shared model says beyond its configuration.

    Attributes:
        repository: "user/name" of the Hub.
        license: of the weights, by the Hub's names, such as "apache-2.0" or "cc0-1.0".
        weights_sha256: of `model.safetensors`.
        intended_use: a sentence or more.
        scores: of these weights.
        fingerprint: hashes of the training images.
    """

    repository: str
    license: str
    weights_sha256: str
    intended_use: str
    scores: Sequence[Score]
    fingerprint: TrainingFingerprint


def read_scores(model: Path, weights_sha256: str) -> list[Score]:
    """Read the scores of exactly these weights from `evaluation/` of the run folder that holds the model folder.

    Scores of images that the model was trained on are left out.
    """
    found = []
    for file in sorted((model.parent / "evaluation").glob("*/summary.json")):
        content = read_json_object(file)
        facts: dict[str, Any] = content.get("facts") or {}
        if facts.get("weights_sha256") != weights_sha256 or facts.get("images_in_train"):
            continue
        for name, summary in content["classes"].items():
            dice, hd95 = summary["metrics"]["dice"], summary["metrics"]["hd95"]
            found.append(
                Score(
                    facts["data"],
                    facts["subset"],
                    content["protocol"],
                    name,
                    summary["n"],
                    (dice["mean"], dice["low"], dice["high"]),
                    hd95["mean"],
                    summary.get("unit", "pixels"),
                )
            )
    return found


def hub_card(config: ModelConfig, sharing: Sharing) -> str:
    """Write the card: the Hub's metadata with license and scores (model-index), and the sections for people."""
    sections = "\n".join(
        [
            "## Intended use\n",
            f"{sharing.intended_use}\n",
            f"License of the weights: {sharing.license}.\n",
            "## Scores\n",
            f"{_table(sharing.scores)}\n",
            "## Hashes\n",
            f"- `model.safetensors`: SHA-256 {sharing.weights_sha256}",
            f"- {_images(config, sharing.fingerprint)}\n\n",
        ]
    )
    return model_card(config, _metadata(config, sharing), sections, sharing.repository)


def _metadata(config: ModelConfig, sharing: Sharing) -> str:
    cards = require("huggingface_hub", extra="hub")
    results = [
        cards.EvalResult(
            task_type="image-segmentation",
            dataset_type=one.data,
            dataset_name=one.data,
            dataset_split=one.subset,
            metric_type="dice",
            metric_name=f"Dice of {one.name}, protocol {one.protocol}",
            metric_value=round(one.dice[0], 4),
        )
        for one in sharing.scores
        if one.dice[0] is not None
    ]
    data = cards.ModelCardData(
        license=sharing.license,
        library_name="tmunet",
        pipeline_tag="image-segmentation",
        tags=list(TAGS),
        model_name=f"{config.model}: {', '.join(config.classes[1:])}",
        eval_results=results or None,
    )
    text: str = data.to_yaml()
    return text.strip()


def _table(scores: Sequence[Score]) -> str:
    if not scores:
        return "None by `tmunet evaluate` were found with the model."
    rows = [
        (
            one.data,
            one.subset,
            one.protocol,
            one.name,
            str(one.images),
            _number(one.dice[0]),
            f"{_number(one.dice[1])} to {_number(one.dice[2])}",
            f"{_number(one.hd95)} {one.unit}",
        )
        for one in scores
    ]
    header = ("data", "subset", "protocol", "class", "images", "Dice", "95 % interval", "HD95")
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _images(config: ModelConfig, fingerprint: TrainingFingerprint) -> str:
    """Say by which hashes the training images can be recognized."""
    count = len(fingerprint.train) + len(fingerprint.val)
    known = (
        f"`training_fingerprint.json`: pixel hashes of {pluralize(count, 'image')} it was trained or selected on; "
        "`tmunet evaluate` refuses to score these"
        if count
        else "the images it was trained on are unknown"
    )
    data = config.provenance.get("data_sha256")
    return known if data is None else f"{known}. Training data as a whole: SHA-256 {data}"
