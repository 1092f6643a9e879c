"""nuclei-t, the model that comes with the package: it works, its card is complete, its split keeps the sample apart."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tmunet import Predictor
from tmunet.cli.demo import sample_folder
from tmunet.cli.main import main
from tmunet.data.dataset import open_dataset
from tmunet.data.io.images import read_image
from tmunet.data.preprocess import normalize, prepare, unit
from tmunet.evaluation import evaluate
from tmunet.metrics import get_protocol
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.prediction.predictor import packaged_model
from tmunet.training.train_config import list_recipes


def test_it_segments_the_sample_s_test_images() -> None:
    result = evaluate(Predictor(), open_dataset(sample_folder()), "test", get_protocol("strict"))
    summary = result.summaries["nucleus"]
    assert summary["n"] == 14
    assert summary["n_missed"] == 0
    assert summary["metrics"]["dice"]["mean"] > 0.85


@torch.no_grad()
@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_the_form_for_inference_gives_its_logits_on_every_sample_image(step: int) -> None:
    predictor = Predictor()
    form, preprocess = optimize_for_inference(predictor.network), predictor.config.preprocess
    for image in sorted((sample_folder() / "images").iterdir())[::step]:
        pixels = torch.tensor(prepare(read_image(image), preprocess)).permute(2, 0, 1)[None]
        x = normalize(unit(pixels), preprocess.normalize)
        torch.testing.assert_close(form(x), predictor.network(x), rtol=1e-3, atol=1e-3)


def test_its_training_never_saw_the_sample_s_test_images() -> None:
    split = json.loads((packaged_model() / "split.json").read_text())
    held_back = {name.split("_", 1)[1] for name in open_dataset(sample_folder()).split.test}
    assert held_back <= set(split["test"])
    assert not held_back & {*split["train"], *split["val"]}


def test_its_card_says_where_it_is_from_and_how_good_it_is() -> None:
    provenance = json.loads((packaged_model() / "config.json").read_text())["provenance"]
    assert provenance["recipe"] in list_recipes()
    assert provenance["test_scores"]["strict"]["dice"] > 0.9
    card = (packaged_model() / "README.md").read_text()
    for fact in ("BBBC038v1, CC0", provenance["split_sha256"], "strict", "not a medical device"):
        assert fact in card


def test_predict_uses_it_when_no_model_is_named_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make_dataset: Callable[..., Path]
) -> None:
    images = make_dataset(train=2, val=0, test=0, side=256) / "images"
    assert main(["predict", str(images), "-o", str(tmp_path / "masks")]) == 0
    told = capsys.readouterr()
    assert "No model was named: using nuclei-t" in told.err
    assert "0 = background, 255 = nucleus" in told.out
    assert len(list((tmp_path / "masks").glob("*.png"))) == 2
