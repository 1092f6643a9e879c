"""`tmunet evaluate --predictions`: masks of any program are scored as the model that made them, or refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tmunet.cli.main import main
from tmunet.data.dataset import open_dataset
from tmunet.errors import DataError, InputError, TMUNetWarning
from tmunet.evaluate_predictions import evaluate_predictions, open_masks
from tmunet.evaluation import evaluate
from tmunet.metrics import PROTOCOLS
from tmunet.prediction.folder import predict_files
from tmunet.prediction.predictor import Predictor

from .scored_rows import without_confidence
from .small_models import bright_model

Make = Callable[..., Path]


def masks_of(data: Path, out: Path) -> Path:
    """Write the true test masks as another program may: 0 and 255, TIFF."""
    out.mkdir()
    for case in open_dataset(data).subset("test"):
        assert case.mask is not None
        Image.fromarray((np.asarray(Image.open(case.mask)) > 0).astype(np.uint8) * 255).save(out / f"{case.name}.tif")
    return out


def test_the_masks_of_a_model_score_as_the_model_does(make_dataset: Make, tmp_path: Path) -> None:
    dataset, predictor = open_dataset(make_dataset(test=3)), Predictor(bright_model(), device="cpu")
    predict_files(predictor, [case.image for case in dataset.subset("test")], tmp_path / "masks")
    expected = evaluate(predictor, dataset, "test", PROTOCOLS["strict"], seed=3)
    found = evaluate_predictions(
        open_masks(tmp_path / "masks", dataset, "test"), dataset, "test", PROTOCOLS["strict"], seed=3
    )
    assert (found.rows, found.summaries) == (without_confidence(expected), expected.summaries)
    assert found.facts["images_sha256"] == expected.facts["images_sha256"]
    assert found.facts["weights_sha256"] == predictor.weights_sha256()  # of predictions.json


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_mask_shifted_by_a_known_number_of_pixels_has_that_distance(
    make_dataset: Make, tmp_path: Path, protocol: str
) -> None:
    data = make_dataset(train=0, val=0, test=2, side=64)
    masks = masks_of(data, tmp_path / "masks")
    for path in masks.iterdir():
        Image.fromarray(np.roll(np.asarray(Image.open(path)), 3, axis=1)).save(path)
    dataset = open_dataset(data)
    found = evaluate_predictions(open_masks(masks, dataset, "test"), dataset, "test", PROTOCOLS[protocol])
    pixel = 1 if protocol == "strict" else 512 / 64
    assert found.summaries["foreground"]["metrics"]["hd"]["mean"] == pytest.approx(3 * pixel, abs=0.1 * pixel)


def test_the_command_writes_scores_and_a_report(
    make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_dataset()
    masks_of(data, tmp_path / "other")
    assert main(["evaluate", "--predictions", "other", "--data", str(data)]) == 0
    folder = tmp_path / "evaluation" / "other-discs-test-strict"
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    assert summary["classes"]["foreground"]["metrics"]["dice"]["mean"] == 1
    assert "2 masks of other on discs" in (folder / "report.html").read_text("utf-8")
    assert str(Path("evaluation") / folder.name / "report.html") in capsys.readouterr().out
    (tmp_path / "other" / "case10.tif").write_bytes((tmp_path / "other" / "case11.tif").read_bytes())
    assert main(["evaluate", "--predictions", "other", "--data", str(data)]) == 2  # other masks in the same place


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--predictions", "x", "-m", "y"),
        ("--predictions", "x"),
        ("--predictions", "x", "--data", "d", "--tta"),
        ("--predictions", "x", "--data", "d", "--tile-size", "64"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(words: tuple[str, ...]) -> None:
    assert main(["evaluate", *words]) == 2


def test_what_is_missing_extra_or_of_another_kind_is_one_report(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(test=4)  # case10 to case13
    masks, dataset = masks_of(data, tmp_path / "masks"), open_dataset(data)
    (masks / "case10.tif").rename(masks / "Case10.tif")
    shutil.copy(masks / "case11.tif", masks / "case11.png")
    with pytest.raises(DataError) as caught:
        open_masks(masks, dataset, "test")
    assert [Path(fault.split(":")[0]).name for fault in caught.value.faults] == [
        "case11.tif",
        "case10.png",
        "Case10.tif",
    ]
    (masks / "Case10.tif").rename(masks / "case10.tif")
    (masks / "case11.png").unlink()
    Image.fromarray(np.full((48, 48), 7, np.uint8)).save(masks / "case12.tif")
    Image.fromarray(np.zeros((24, 48), np.uint8)).save(masks / "case13.tif")
    with pytest.raises(DataError) as caught:
        evaluate_predictions(open_masks(masks, dataset, "test"), dataset, "test", PROTOCOLS["strict"])
    assert [next(w for w in ("case12", "case13") if w in fault) for fault in caught.value.faults] == [
        "case12",
        "case13",
    ]
    with pytest.raises(DataError):
        open_masks(tmp_path / "nowhere", dataset, "test")


def test_masks_of_other_subsets_are_named_and_not_scored(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=1, val=1, test=1)
    masks, dataset = masks_of(data, tmp_path / "masks"), open_dataset(data)
    shutil.copy(masks / "case2.tif", masks / "case0.tif")
    with pytest.warns(TMUNetWarning, match="case0"):
        found = open_masks(masks, dataset, "test")
    assert list(found.files) == ["case2"]
    no_test = make_dataset(train=1, val=1, test=0, name="other")
    with pytest.raises(InputError) as caught:
        open_masks(masks, open_dataset(no_test), "test")
    assert caught.value.code == "empty-subset"
