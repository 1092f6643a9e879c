"""A leaking split trains, with a warning that names the number; and the model remembers what it saw."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet.data.dataset import open_dataset
from tmunet.data.fingerprint import pixels_sha256
from tmunet.data.io.images import read_image
from tmunet.errors import DataError, InputError, TMUNetWarning
from tmunet.evaluation import evaluate
from tmunet.files import write_json
from tmunet.metrics import PROTOCOLS
from tmunet.model import load_model
from tmunet.prediction.predictor import Predictor
from tmunet.training.run_folder import RunFolder

from .conftest import Trained
from .runs import run_here, start

Make = Callable[..., Path]


def brighter(data: Path, name: str, of: str) -> None:
    """Make the image of a case that of another one, a little brighter: the same scene, not a copy."""
    values = np.asarray(Image.open(data / "images" / f"{of}.png")).astype(int)
    Image.fromarray((values * 0.9 + 20).clip(0, 255).astype(np.uint8)).save(data / "images" / f"{name}.png")


def test_a_split_that_leaks_trains_with_a_warning_that_names_the_number(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(test=4)
    for name, of in (("case10", "case0"), ("case12", "case1"), ("case9", "case2")):
        brighter(data, name, of)
    groups = {name: {"group": "patient 1"} for name in ("case3", "case11")}
    write_json(data / "dataset.json", {"name": "discs", "cases": groups})
    with pytest.warns(TMUNetWarning) as caught:
        run = run_here(data, tmp_path / "run", epochs=1)
    (message,) = {str(warning.message) for warning in caught if warning.category is TMUNetWarning}
    assert "of 4 test images, 1 shares a group" in message
    assert "and 2 show the same scene as train images" in message
    assert "of 2 val images, 1 shows the same scene" in message
    assert f"tmunet split {data} --kind grouped" in message
    expected = {"images": 4, "same_group": 1, "same_scene": 2, "groups_known": False}
    assert "2 of 4 test images have a near-duplicate in train" in (run.model / "README.md").read_text("utf-8")
    for provenance in (json.loads(run.provenance.read_text()), load_model(run.path).config.provenance):
        assert provenance["leaks"]["test in train"] == expected


@pytest.mark.slow
def test_the_command_line_prints_the_warning_as_a_sentence(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=4)
    brighter(data, "case7", "case0")
    process = start(
        "-d", str(data), "-o", str(tmp_path / "run"), "--epochs=1", "--preprocess.size=32", "--model=tmunet_t"
    )
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert f"tmunet train: warning: {data}: the split leaks: of 2 test images, 1 shows the same scene" in output
    assert "UserWarning" not in output
    assert "TMUNetWarning" not in output


def test_a_model_remembers_the_images_that_it_saw_by_their_pixels(trained: Trained) -> None:
    data, fingerprint = trained.data, load_model(trained.run.path).fingerprint
    sides = open_dataset(data).split.to_dict()
    for side, seen in (("train", fingerprint.train), ("val", fingerprint.val)):
        assert seen == {name: pixels_sha256(read_image(data / "images" / f"{name}.png")) for name in sides[side]}


def test_what_was_seen_is_not_scored_as_test_unless_told(trained: Trained, tmp_path: Path) -> None:
    data, run = trained.data, trained.run
    other = tmp_path / "other"
    shutil.copytree(data, other)
    for sub in ("images", "masks"):  # other names, another format: the same pixels
        Image.open(other / sub / "case0.png").save(other / sub / "new.bmp")
    test = ["new", "case8", "case10", "case11"]
    write_json(other / "split.json", {"train": ["case1"], "val": ["case2", "case9"], "test": test})
    predictor, dataset = Predictor(run.path), open_dataset(other)
    for subset, of, numbers in (
        ("test", "4 test images", (1, 1)),
        ("val", "2 val images", (1, 1)),
        ("train", "1 train image", (1, 0)),
    ):
        expected = f"of {of}, the model was trained on {numbers[0]} and selected on {numbers[1]}"
        with pytest.raises(InputError, match=expected):
            evaluate(predictor, dataset, subset, PROTOCOLS["strict"])
    told = evaluate(predictor, dataset, "test", PROTOCOLS["strict"], allow_train_images=True)
    assert told.facts["images_in_train"] == told.facts["images_in_val"] == 1
    assert len(told.rows) == 4
    own = evaluate(predictor, open_dataset(data), "train", PROTOCOLS["strict"])
    assert own.facts["images_in_train"] == len(own.rows) > 1
    fair = evaluate(predictor, open_dataset(data), "val", PROTOCOLS["strict"])
    assert fair.facts["images_in_val"] == 2


@pytest.mark.parametrize("content", ['{"train": {}}', '{"train": {"a": 1}, "val": {}}', "[]", "{"])
def test_a_damaged_list_of_seen_images_is_refused(copied_run: RunFolder, content: str) -> None:
    run = copied_run
    (run.model / "training_fingerprint.json").write_text(content)
    with pytest.raises(InputError, match=r"training_fingerprint\.json"):
        load_model(run.path)
    (run.model / "training_fingerprint.json").unlink()
    assert load_model(run.path).fingerprint.side_of() == {}


@pytest.mark.parametrize("place", ["case11", "case8"])
def test_palettes_that_contradict_each_other_on_two_sides_are_refused(
    make_dataset: Make, tmp_path: Path, place: str
) -> None:
    data = make_dataset()
    for path in sorted((data / "masks").iterdir()):
        picture = Image.fromarray(np.asarray(Image.open(path)))
        picture.putpalette([0, 0, 0, *((0, 200, 0) if path.stem == place else (200, 0, 0))])
        picture.save(path)
    with pytest.raises(DataError) as caught:
        run_here(data, tmp_path / "run", epochs=1)
    (fault,) = caught.value.faults
    assert all(words in fault for words in (f"{place}.png", "case0.png", "(0, 200, 0)", "(200, 0, 0)"))
