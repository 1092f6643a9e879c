"""Queue the images that are not corrected yet, least certain first, and lay out the first of them for correcting."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

from tmunet.active_learning.loop_folder import RoundFolder
from tmunet.device import Device
from tmunet.files import write_csv
from tmunet.prediction.confidence import CONFIDENCE_COLUMNS
from tmunet.prediction.confidence_table import CONFIDENCE_FILE
from tmunet.prediction.folder import predict_files
from tmunet.prediction.predictor import Predictor
from tmunet.temporary import whole_folder

COLUMNS = ("position", "image", "mask", *CONFIDENCE_COLUMNS)


def queue_images(
    images: Sequence[Path], model: Path, round_: RoundFolder, images_per_round: int, device: Device = "auto"
) -> tuple[str, ...]:
    """Predict images, write the queue of a round, and copy the first of it with their masks; resumable.

    The order is that of `confidence.csv`: flagged masks first, then by agreement.

    Args:
        images: that are not corrected; with none of them the queue is empty.
        model: of the round.
        round_: where the files go.
        images_per_round: number of images to lay out.
        device: where to compute.

    Returns:
        Images that could not be predicted, and why; they are not in the queue.
    """
    faults: tuple[str, ...] = ()
    rows: list[dict[str, str]] = []
    if images:
        faults = predict_files(Predictor(model, device=device), images, round_.predictions).faults
        with (round_.predictions / CONFIDENCE_FILE).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    queue = [{"position": place, **{name: row[name] for name in COLUMNS[1:]}} for place, row in enumerate(rows, 1)]
    write_csv(round_.queue, COLUMNS, queue)
    with whole_folder(round_.to_correct) as folder:
        for part in ("images", "masks"):
            (folder / part).mkdir()
        for row in rows[:images_per_round]:
            shutil.copyfile(row["image"], folder / "images" / Path(row["image"]).name)
            shutil.copyfile(round_.predictions / row["mask"], folder / "masks" / row["mask"])
    return faults
