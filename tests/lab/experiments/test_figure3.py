"""Cases that a rule chooses, and the outlines of what the models of real runs predict for them."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from PIL import Image

from tmunet.cli.evaluate import EvaluateConfig, evaluate_and_report
from tmunet.data.dataset import open_dataset
from tmunet.errors import InputError
from tmunet.model import save_model
from tmunet_lab.experiments.case_grid import BOTH, PREDICTION, REFERENCE, outlined
from tmunet_lab.experiments.case_selection import choose_cases
from tmunet_lab.experiments.pages import write_target
from tmunet_lab.experiments.plan import Plan, PlannedNetwork
from tmunet_lab.experiments.run_result import Result, read_scores

from ...small_models import random_model
from .made_results import result

Make = Callable[..., Path]
PLAN = Plan(
    "Discs",
    {"one": PlannedNetwork("tmunet_t"), "two": PlannedNetwork("tmunet_t"), "three": PlannedNetwork("ulite")},
    ["discs"],
    splits=["own"],
    seeds=[0],
)


def save(run: Path, seed: int) -> None:
    model = random_model(seed=seed)
    save_model(run / "model", model.network, model.config)


def run(data: Path, folder: Path, label: str, seed: int, protocol: str = "strict") -> Result:
    """A run folder with a random model, evaluated by the command."""
    path = folder / "runs" / f"{label}-{protocol}"
    save(path, seed)
    (path / "split.json").write_bytes((data / "split.json").read_bytes())
    out = path / "evaluation" / protocol
    evaluate_and_report(
        EvaluateConfig(str(path), str(data), str(path / "split.json"), protocol=protocol, out=str(out), device="cpu")
    )
    return Result(label, "tmunet_t", "discs", "own", 0, path, read_scores(out))


def write(folder: Path, plan: Plan, results: list[Result]) -> list[Path]:
    missing = {("three", "discs", "own", 0): "not run yet"}
    return write_target(
        "figure3", plan, results, missing, {}, folder / "pages", "tmunet reproduce figure3", data_root=folder
    )


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_models_are_asked_again_and_answer_as_they_were_scored(
    make_dataset: Make, tmp_path: Path, protocol: str
) -> None:
    data = make_dataset(train=2, val=1, test=6 if protocol == "strict" else 2)
    plan = replace(PLAN, protocols=[protocol])
    results = [run(data, tmp_path, "one", 1, protocol), run(data, tmp_path, "two", 2, protocol)]
    picture, page = write(tmp_path, plan, results)
    assert (picture.name, page.name) == ("figure3.png", "figure3.md")
    text = page.read_text("utf-8")
    chosen = choose_cases(results)
    assert len(chosen) == (3 if protocol == "strict" else 2)
    for one in chosen:
        dice = [results[index].values("dice")[one.case] for index in (0, 1)]
        shown = " | ".join(f"{100 * value:.2f}" for value in (median(dice), *dice))
        assert f"| {one.case} | {one.percentile} | {shown} | – |" in text
    assert "10th, 50th and 90th percentile" in text
    assert "Do not publish pictures of research-only sets" in text
    assert all((page.parent / target).exists() for target in re.findall(r"\]\(([^)]+)\)", text))
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    for color in (REFERENCE, PREDICTION, BOTH):
        assert (pixels[60:] == color).all(axis=-1).any()
    before = picture.read_bytes()
    write(tmp_path, plan, results[::-1])
    assert picture.read_bytes() == before


def test_another_model_or_split_than_was_scored_is_an_error(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=2, val=1, test=2)
    one = run(data, tmp_path, "one", 1)
    save(one.run, 5)
    with pytest.raises(InputError, match="to have the Dice of the evaluation"):
        write(tmp_path, PLAN, [one])
    split = json.loads((one.run / "split.json").read_text())
    (one.run / "split.json").write_text(json.dumps({**split, "val": []}))
    with pytest.raises(InputError, match="expected the split that was scored"):
        write(tmp_path, PLAN, [one])
    assert not (tmp_path / "pages").exists()


def test_images_that_are_gone_are_a_reason(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=2, val=1, test=2)
    one = run(data, tmp_path, "one", 1)
    first = write(tmp_path, PLAN, [one])
    data.rename(tmp_path / "elsewhere")
    (page,) = write(tmp_path, PLAN, [one])
    assert "there is no folder discs with its images" in page.read_text("utf-8")
    assert not first[0].exists()  # a picture of other runs is not left beside the page


def test_a_license_is_shown_and_a_missing_network_says_why(make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(train=2, val=1, test=2)
    (data / "dataset.json").write_text(json.dumps({"name": "discs", "license": "research only"}))
    _, page = write(tmp_path, PLAN, [run(data, tmp_path, "one", 1)])
    assert "License of discs: research only." in page.read_text("utf-8")
    assert open_dataset(data).info.information["license"] == "research only"


def test_the_rule_takes_ranks_of_the_median(tmp_path: Path) -> None:
    values = [0.05 * index for index in range(1, 12)]  # image 0 is the worst for two of three
    networks = {"a": values, "b": values, "c": values[::-1]}
    results = [result(tmp_path, name, list(of), protocol="strict") for name, of in networks.items()]
    chosen = choose_cases(results)
    medians = sorted((median(of[index] for of in networks.values()), index) for index in range(11))
    expected = [medians[rank] for rank in (1, 5, 9)]
    assert [(one.median, one.case) for one in chosen] == [(value, f"frame {index}") for value, index in expected]
    assert [one.percentile for one in chosen] == [10, 50, 90]
    assert chosen[0].dice == {name: of[expected[0][1]] for name, of in networks.items()}
    assert choose_cases(results[::-1]) == choose_cases(results)


def test_one_image_is_shown_once(tmp_path: Path) -> None:
    (one,) = choose_cases([result(tmp_path, "a", [0.5])])
    assert (one.case, one.percentile) == ("frame 0", 10)


def test_outlines_have_their_colors_and_the_image_is_kept_between_them() -> None:
    image = np.full((40, 60, 3), 90, np.uint8)
    reference, prediction = np.zeros((2, 40, 60), np.uint8)
    reference[10:30, 10:30] = 1
    prediction[10:30, 20:40] = 1
    drawn = np.asarray(outlined(image, reference, prediction))
    assert tuple(drawn[20, 10]) == REFERENCE
    assert tuple(drawn[20, 39]) == PREDICTION
    assert tuple(drawn[10, 25]) == BOTH
    assert tuple(drawn[20, 15]) == (90, 90, 90)
    alone = np.asarray(outlined(image, reference))
    assert tuple(alone[10, 25]) == REFERENCE
    assert not (alone == PREDICTION).all(axis=-1).any()
