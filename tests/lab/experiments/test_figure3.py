"""Figure 3: cases selected by the rule, and the outlines of what models of real runs predict for them."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from tmunet.data.dataset import open_dataset
from tmunet.errors import InputError
from tmunet.evaluation import evaluate
from tmunet.files import sha256
from tmunet.metrics import get_protocol
from tmunet.model import save_model
from tmunet.prediction.predictor import Predictor
from tmunet_lab.experiments.case_selection import RULE, select_cases
from tmunet_lab.experiments.figure3 import (
    BOTH,
    PREDICTION,
    REFERENCE,
    WARNING,
    CasePanel,
    CaseRow,
    case_figure,
    draw_outlines,
)
from tmunet_lab.experiments.plan import ExperimentPlan, PlannedNetwork
from tmunet_lab.experiments.results import RunResult, read_scores
from tmunet_lab.experiments.write_tables import write_target

from ...coded_errors import coded
from ...small_models import random_model
from .made_results import result

Make = Callable[..., Path]
PLAN = ExperimentPlan(
    "Discs",
    {"one": PlannedNetwork("tmunet_t"), "two": PlannedNetwork("tmunet_t"), "three": PlannedNetwork("ulite")},
    ["discs"],
    splits=["own"],
    seeds=[0],
)


def save(run: Path, seed: int) -> Path:
    model = random_model(seed=seed)
    save_model(run / "model", model.network, model.config)
    return run / "model"


def run(data: Path, folder: Path, label: str, seed: int, protocol: str = "strict") -> RunResult:
    """A run folder with a random model, evaluated on the test images."""
    path = folder / "runs" / f"{label}-{protocol}"
    model = save(path, seed)
    (path / "split.json").write_bytes((data / "split.json").read_bytes())
    out = path / "evaluation" / protocol
    settings = {"tile_size": None, "tta": False, "backend": "torch", "precision": "float32", "device": "cpu"}
    facts = {**settings, "weights_sha256": sha256(model / "model.safetensors"), "trained": {}}
    predictor = Predictor(model, device="cpu")
    evaluate(predictor, open_dataset(data, path / "split.json"), "test", get_protocol(protocol), 0, facts).write(out)
    return RunResult(label, "tmunet_t", "discs", "own", 0, path, read_scores(out))


def write(folder: Path, plan: ExperimentPlan, results: list[RunResult]) -> list[Path]:
    missing = {("three", "discs", "own", 0): "not run yet"}
    return write_target(
        "figure3", plan, results, missing, {}, folder / "pages", "tmunet reproduce figure3", data_root=folder
    )


@pytest.mark.parametrize("protocol", ["strict", pytest.param("paper", marks=pytest.mark.slow)])
def test_predictions_are_made_again_and_have_the_dice_of_the_evaluation(
    make_dataset: Make, tmp_path: Path, protocol: str
) -> None:
    data = make_dataset(train=2, val=1, test=6 if protocol == "strict" else 2)
    plan = replace(PLAN, protocols=[protocol])
    results = [run(data, tmp_path, "one", 1, protocol), run(data, tmp_path, "two", 2, protocol)]
    *pictures, page = write(tmp_path, plan, results)
    assert [file.name for file in (*pictures, page)] == ["figure3.svg", "figure3.pdf", "figure3.md"]
    text = page.read_text("utf-8")
    chosen = select_cases(results)
    assert len(chosen) == (3 if protocol == "strict" else 2)
    for one in chosen:
        dice = [results[index].values("dice")[one.case] for index in (0, 1)]
        shown = " | ".join(f"{100 * value:.2f}" for value in (median(dice), *dice))
        assert f"| {one.case} | {one.percentile} | {shown} | – |" in text
    assert RULE in text
    assert WARNING in text
    assert all((page.parent / target).exists() for target in re.findall(r"\]\(([^)]+)\)", text))
    before = [picture.read_bytes() for picture in pictures]
    write(tmp_path, plan, results[::-1])
    assert [picture.read_bytes() for picture in pictures] == before


def test_another_model_or_split_than_was_scored_is_an_error(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=2, val=1, test=2)
    one = run(data, tmp_path, "one", 1)
    save(one.run, 5)
    with pytest.raises(InputError, check=coded("other-model", one.run)):
        write(tmp_path, PLAN, [one])
    split = json.loads((one.run / "split.json").read_text())
    (one.run / "split.json").write_text(json.dumps({**split, "val": []}))
    with pytest.raises(InputError, check=coded("other-split", one.run / "split.json")):
        write(tmp_path, PLAN, [one])
    assert not (tmp_path / "pages").exists()


def test_images_that_are_gone_are_a_reason(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=2, val=1, test=2)
    one = run(data, tmp_path, "one", 1)
    first = write(tmp_path, PLAN, [one])
    data.rename(tmp_path / "elsewhere")
    (page,) = write(tmp_path, PLAN, [one])
    assert "there is no folder discs with its images" in page.read_text("utf-8")
    assert not first[0].exists()
    assert not first[1].exists()  # a picture of other runs is not left beside the page


def test_a_license_is_shown_and_a_missing_network_says_why(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=2, val=1, test=2)
    (data / "dataset.json").write_text(json.dumps({"name": "discs", "license": "research only"}))
    *_, page = write(tmp_path, PLAN, [run(data, tmp_path, "one", 1)])
    assert "License of discs: research only." in page.read_text("utf-8")
    assert open_dataset(data).info.information["license"] == "research only"


def test_the_rule_takes_ranks_of_the_median(tmp_path: Path) -> None:
    values = [0.05 * index for index in range(1, 12)]  # image 0 is the worst for two of three
    networks = {"a": values, "b": values, "c": values[::-1]}
    results = [result(tmp_path, name, list(of), protocol="strict") for name, of in networks.items()]
    chosen = select_cases(results)
    medians = sorted((median(of[index] for of in networks.values()), index) for index in range(11))
    expected = [medians[rank] for rank in (1, 5, 9)]
    assert [(one.median, one.case) for one in chosen] == [(value, f"frame {index}") for value, index in expected]
    assert [one.percentile for one in chosen] == [10, 50, 90]
    assert chosen[0].dice == {name: of[expected[0][1]] for name, of in networks.items()}
    assert select_cases(results[::-1]) == select_cases(results)


def test_one_image_is_shown_once(tmp_path: Path) -> None:
    (one,) = select_cases([result(tmp_path, "a", [0.5])])
    assert (one.case, one.percentile) == ("frame 0", 10)


def test_outlines_have_their_colors_and_the_image_is_kept_between_them() -> None:
    image = np.full((40, 60, 3), 90, np.uint8)
    reference, prediction = np.zeros((2, 40, 60), np.uint8)
    reference[10:30, 10:30] = 1
    prediction[10:30, 20:40] = 1
    drawn = draw_outlines(image, reference, prediction)
    assert tuple(drawn[20, 10]) == REFERENCE
    assert tuple(drawn[20, 39]) == PREDICTION
    assert tuple(drawn[10, 25]) == BOTH
    assert tuple(drawn[20, 15]) == (90, 90, 90)
    alone = draw_outlines(image, reference)
    assert tuple(alone[10, 25]) == REFERENCE
    assert not (alone == PREDICTION).all(axis=-1).any()


def test_the_figure_has_a_row_per_image_and_a_column_per_network() -> None:
    picture = np.full((4, 6, 3), 90, np.uint8)
    panels = [CasePanel(picture, ""), CasePanel(picture, "Dice 50.00 %"), CasePanel(None, "not run yet")]
    figure = case_figure(["reference", "a", "$b$"], [CaseRow("discs case1", panels), CaseRow("discs case2", panels)])
    assert len(figure.axes) == 6
    assert [axis.get_title() for axis in figure.axes[:3]] == ["reference", "a", "$b$"]
    assert [len(axis.images) for axis in figure.axes] == [1, 1, 0] * 2
    assert np.array_equal(figure.axes[0].images[0].get_array(), picture)
    assert [text.get_text() for text in figure.axes[2].texts] == ["not run yet"]
    assert figure.axes[3].get_ylabel() == "discs case2"
