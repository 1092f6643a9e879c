"""The report of a model: flagged images come first, with the reasons for their review."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tmunet.data.dataset import open_dataset
from tmunet.evaluation import evaluate
from tmunet.metrics import get_protocol
from tmunet.prediction.predictor import Predictor
from tmunet.report import render
from tmunet.report.build import assemble

from ..small_models import random_model


def test_flagged_images_come_first_with_their_reasons(make_dataset: Callable[..., Path]) -> None:
    dataset = open_dataset(make_dataset(test=4))
    predictor = Predictor(random_model())
    found = evaluate(predictor, dataset, "test", get_protocol("strict"))
    flags = {"case11": "low agreement", "case13": "nothing found"}
    rows = [{**row, "flags": flags.get(row["case"], "")} for row in found.rows]
    page = render(assemble(replace(found, rows=rows), predictor, dataset))
    table = page[page.index('<table id="per-image">') :]
    order = sorted((table.index(f">{row['case']}</th>"), row["case"]) for row in rows)
    assert [name for _, name in order] == ["case11", "case13", "case10", "case12"]
    assert table.index("low agreement") < table.index(">case13</th>") < table.index("nothing found")
    assert found.failure_detection is not None
    assert f"{found.failure_detection['aurc']:.3f}" in page
