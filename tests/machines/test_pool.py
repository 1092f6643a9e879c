"""The same results from workers as from one process: files, rows, warnings and faults."""

import csv
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tmunet.check.run import check_dataset
from tmunet.cli.main import main
from tmunet.data.dataset import open_dataset
from tmunet.errors import DataError, InputError, MissingExtraError, ModelError, UsageError
from tmunet.evaluation import evaluate
from tmunet.machines.pool import LARGEST_PART, check_shared, open_pool, split_parts
from tmunet.metrics import get_protocol
from tmunet.model import save_model
from tmunet.prediction.folder import find_images, predict_files
from tmunet.prediction.predictor import Predictor
from tmunet.prediction.predictor_settings import PredictorSettings

from ..coded_errors import coded
from ..small_models import bright_model, random_model


class Pickled:
    """A pool of workers in this process, which get and give copies only."""

    workers = 2

    def __init__(self) -> None:
        self.parts = 0

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        for item in items:
            self.parts += 1
            there, given = pickle.loads(pickle.dumps((function, item)))
            yield pickle.loads(pickle.dumps(there(given)))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    trained = random_model()
    save_model(folder, trained.network, trained.config)
    return folder


@given(st.lists(st.integers(), max_size=500), st.integers(0, 40))
def test_parts_hold_every_item_once_in_order(items: list[int], workers: int) -> None:
    parts = split_parts(items, workers)
    assert [item for part in parts for item in part] == items
    assert all(0 < len(part) <= LARGEST_PART for part in parts)
    assert len(parts) >= min(len(items), 2 * workers)


def masks(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.rglob("*.png")}


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "confidence.csv").open() as file:
        return list(csv.DictReader(file))


def test_masks_confidences_and_faults_are_those_of_one_process(
    model: Path, make_dataset: Callable[..., Path], tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    data = make_dataset()
    (data / "images" / "broken.png").write_bytes(b"no picture")
    images, predictor, pool = find_images([str(data / "images")]), Predictor(model), Pickled()
    alone = predict_files(predictor, images, tmp_path / "alone", overlays=True, batch_size=3)
    shared = predict_files(predictor, images, tmp_path / "shared", overlays=True, batch_size=3, pool=pool)
    assert pool.parts > 4
    assert (shared.done, shared.done_before, shared.faults) == (alone.done, 0, alone.faults)
    assert len(shared.faults) == 1
    assert shared.flagged == alone.flagged
    assert masks(tmp_path / "shared") == masks(tmp_path / "alone")
    assert rows(tmp_path / "shared") == rows(tmp_path / "alone")
    again = predict_files(predictor, images, tmp_path / "shared", overlays=True, batch_size=3, pool=pool)
    assert again.done_before == alone.done


def test_findings_are_those_of_one_process(make_dataset: Callable[..., Path]) -> None:
    data = make_dataset()
    (data / "images" / "broken.png").write_bytes(b"no picture")
    Image.fromarray(np.full((9, 9), 77, np.uint8)).save(data / "masks" / "case0.png")
    (data / "images" / "case1.png").write_bytes((data / "images" / "case2.png").read_bytes())
    alone, shared = check_dataset(data), check_dataset(data, pool=Pickled())
    assert len(alone.findings) > 2
    assert shared.to_dict() == alone.to_dict()


@pytest.mark.parametrize("protocol", ["strict", pytest.param("paper", marks=pytest.mark.slow)])
def test_scores_are_those_of_one_process(model: Path, make_dataset: Callable[..., Path], protocol: str) -> None:
    dataset = open_dataset(make_dataset(train=1, val=1, test=6))
    words = (Predictor(model), dataset, "test", get_protocol(protocol))
    alone, shared = evaluate(*words), evaluate(*words, pool=Pickled())
    assert shared.rows == alone.rows
    assert (shared.summaries, shared.facts) == (alone.summaries, alone.facts)
    assert len(alone.rows) == 6


def test_faults_of_a_data_set_are_those_of_one_process(model: Path, make_dataset: Callable[..., Path]) -> None:
    data = make_dataset(train=1, val=1, test=6)
    for number in (2, 4):
        Image.fromarray(np.full((48, 48), 70 + number, np.uint8)).save(data / "masks" / f"case{number}.png")
    (data / "images" / "case5.png").write_bytes(b"no picture")
    dataset, faults = open_dataset(data), []
    for pool in (None, Pickled()):
        with pytest.raises(DataError) as caught:
            evaluate(Predictor(model), dataset, "test", get_protocol("strict"), pool=pool)
        faults.append(caught.value.faults)
    assert faults[0] == faults[1]
    assert len(faults[0]) == 2  # the wrong values of two masks are told of once


def test_a_model_in_memory_is_refused(tmp_path: Path, make_dataset: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, check=coded("in-memory")):
        PredictorSettings.of(Predictor(bright_model()))


def test_a_worker_with_other_weights_of_that_name_is_found(tmp_path: Path) -> None:
    for seed in (0, 1):
        trained = random_model(seed=seed)
        save_model(tmp_path / "model", trained.network, trained.config)
        if seed == 0:
            settings = PredictorSettings.of(Predictor(tmp_path / "model"))
    with pytest.raises(ModelError, check=coded("other-weights", tmp_path / "model")):
        settings.create()


@pytest.mark.slow
def test_the_settings_of_a_predictor_are_kept(model: Path) -> None:
    made = Predictor(model, tta=True, threshold=0.3, keep="largest", fill_holes=True, min_size=7)
    found = PredictorSettings.of(made).create()
    assert (found.tta, found.postprocess, found.backend) == (True, made.postprocess, "torch")
    assert found is PredictorSettings.of(made).create()


def test_a_disk_that_is_not_shared_is_named(tmp_path: Path) -> None:
    check_shared(tmp_path)
    with pytest.raises(InputError, check=coded("not-shared", tmp_path / "there")):
        check_shared(tmp_path / "there")


@pytest.mark.parametrize(
    "verb",
    ["check", *(pytest.param(verb, marks=pytest.mark.slow) for verb in ("predict", "evaluate"))],
)
def test_both_or_nonsense_are_refused(
    verb: str, model: Path, make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = make_dataset()
    words = {
        "predict": ["predict", data / "images", "-m", model],
        "check": ["check", data],
        "evaluate": ["evaluate", "--model", model, "--data", data],
    }[verb]
    for more in (
        ["--dask", "local", "--slurm", "{cluster: local}"],
        ["--dask", "head"],
        ["--slurm", "{cluster: moon}"],
    ):
        assert main([str(word) for word in [*words, *more]]) == 2


@pytest.mark.parametrize(
    ("package", "extra", "asked"),
    [("distributed", "dask", ("local", None)), ("submitit", "cluster", (None, {"cluster": "local"}))],
)
def test_without_the_package_the_extra_is_named(
    package: str, extra: str, asked: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"tmunet\[{extra}\]"), open_pool(*asked, tmp_path):
        pass
