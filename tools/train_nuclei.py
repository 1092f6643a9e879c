"""Train the model `nuclei-t` that comes with the package, score it, and put it into the package with its card.

    python tools/train_nuclei.py DSB2018

DSB2018 holds images/ and masks/ of the training images of the 2018 Data Science Bowl (BBBC038v1, CC0; nuclei merged to one
foreground). The test images of the package's sample are among its test images, so the sample's test scores it honestly.
"""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from tmunet.cli.process_setup import prepare_process
from tmunet.config import from_mapping
from tmunet.data.dataset import open_dataset
from tmunet.data.split.splits import Split, read_split, write_split
from tmunet.data.split.strategies import random_split
from tmunet.evaluation import evaluate
from tmunet.files import write_json
from tmunet.metrics import get_protocol
from tmunet.model import load_model, save_model
from tmunet.prediction.predictor import Predictor, packaged_model
from tmunet.progress import show_messages
from tmunet.training.fit import resume, train
from tmunet.training.train_config import TrainConfig, read_recipe

PACKAGE = Path(__file__).parent.parent / "src" / "tmunet"


def split_names(names: list[str]) -> Split:
    """7:1:2 at random (seed 0), with the sample's test images moved to test in exchange for others of it."""
    sample = [path.stem for path in (PACKAGE / "sample" / "images").iterdir()]
    held_back = {name.split("_", 1)[1] for name in read_split(PACKAGE / "sample" / "split.json", sample).test}
    drawn = random_split(names, seed=0)
    spare = [name for name in drawn.test if name not in held_back]
    moved = {name: spare.pop() for name in (*drawn.train, *drawn.val) if name in held_back}
    back = {new: old for old, new in moved.items()}
    sides = ([moved.get(name, back.get(name, name)) for name in side] for side in drawn.to_dict().values())
    return Split(*(tuple(sorted(side)) for side in sides))


def main(source: Path) -> None:
    """Prepare the data set, train (or continue), score under both protocols, save."""
    data, run = Path("runs/nuclei-data"), Path("runs/nuclei-t")
    if not data.exists():
        for folder in ("images", "masks"):
            shutil.copytree(source / folder, data / folder)
        write_json(data / "dataset.json", {"name": "dsb2018", "classes": ["background", "nucleus"]})
        write_split(data / "split.json", split_names([path.stem for path in (data / "images").iterdir()]))
    prepare_process()
    show_messages()
    settings = {**read_recipe("nuclei"), "data": str(data), "out": str(run), "recipe": "nuclei"}
    if run.exists():
        resume(run)
    else:
        train(from_mapping(TrainConfig, settings, where="nuclei"))
    trained = load_model(run)
    dataset = open_dataset(data)
    scores = {}
    for name in ("strict", "paper"):
        result = evaluate(Predictor(trained), dataset, "test", get_protocol(name))
        summary = result.summaries["nucleus"]
        metrics = {metric: round(values["mean"], 4) for metric, values in summary["metrics"].items()}
        scores[name] = {"images": summary["n"], "missed": summary["n_missed"], **metrics}
    provenance = {
        **trained.config.provenance,
        "command": "python tools/train_nuclei.py DSB2018",
        "source": "2018 Data Science Bowl, stage 1 training images; BBBC038v1, CC0",
        "test_scores": scores,
        "limits": "nuclei in fluorescence, transmitted light and stained tissue as in that set, images of 256 to 1388 pixels; "
        "neighboring fields of one slide may lie on both sides of the split, so expect less on other slides",
    }
    save_model(
        packaged_model("nuclei-t"), trained.network, replace(trained.config, provenance=provenance), trained.fingerprint
    )
    shutil.copy(data / "split.json", packaged_model("nuclei-t") / "split.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
