"""Push a model to the Hugging Face Hub and pull it, against a Hub on this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tmunet import create_model
from tmunet.cli.evaluate import EvaluateConfig, evaluate_and_report
from tmunet.cli.main import main
from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.errors import ModelError, UsageError
from tmunet.files import sha256, write_json
from tmunet.model import load_model, save_model
from tmunet.model_files import find_model, is_hub_name, parse_hub_name
from tmunet.prediction.predictor import Predictor

from .coded_errors import coded
from .hub_server import Hub, hub_server
from .small_models import random_model

constants = pytest.importorskip("huggingface_hub.constants")
SECRET = "patient-smith"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub that huggingface_hub talks to in this process, with a cache of its own; the current folder is empty."""
    with hub_server() as found:
        monkeypatch.setattr(constants, "ENDPOINT", found.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", found.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "write")
        (tmp_path / "empty").mkdir()
        monkeypatch.chdir(tmp_path / "empty")
        yield found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder: a model that knows its training images, and two evaluations, one of which is of other weights."""
    trained = random_model()
    seen = TrainingFingerprint({SECRET: "0" * 64}, {f"{SECRET}-2": "1" * 64})
    trained.config.provenance.update(
        {
            "command": f"tmunet train --data /home/{SECRET}",
            "data_sha256": "ab" * 32,
            "versions": {"tmunet": "0.1.0", "system": f"Linux-{SECRET}"},
        }
    )
    folder = tmp_path / "run"
    save_model(folder / "model", trained.network, trained.config, seen)
    weights = sha256(folder / "model" / "model.safetensors")
    for name, of, dice in (("own", weights, 0.8125), ("other", "0" * 64, 0.25)):
        write_json(
            folder / "evaluation" / name / "summary.json",
            {
                "protocol": "strict",
                "facts": {"data": "discs", "subset": "test", "weights_sha256": of, "images_in_train": 0},
                "classes": {
                    "foreground": {
                        "n": 7,
                        "unit": "pixels",
                        "metrics": {"dice": {"mean": dice, "low": 0.7, "high": 0.9}, "hd95": {"mean": 3.5}},
                    }
                },
            },
        )
    return folder


def push(*words: object) -> int:
    return main(["push", *map(str, words), "--license", "cc0-1.0"])


def test_a_pushed_model_comes_back_by_name_and_revision(
    hub: Hub, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(run, "me/discs@v1", "--private") == 0
    there = hub.repositories["me/discs"]
    assert (there.private, there.refs["v1"] == there.refs["main"]) == (True, True)
    assert there.refs["v1"] in capsys.readouterr().out
    first = load_model(run)
    other = random_model(seed=1)
    save_model(run / "model", other.network, other.config)
    assert push(run, "me/discs") == 0
    image = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    masks = {name: Predictor(name)(image).mask for name in ("me/discs@v1", "me/discs", f"me/discs@{there.refs['v1']}")}
    assert np.array_equal(masks["me/discs@v1"], Predictor(first)(image).mask)
    assert np.array_equal(masks["me/discs"], Predictor(other)(image).mask)
    assert not np.array_equal(masks["me/discs"], masks["me/discs@v1"])
    assert np.array_equal(masks[f"me/discs@{there.refs['v1']}"], masks["me/discs@v1"])
    assert push(run, "me/discs@v1") == 2  # a tag stays where it is
    assert len(there.commits) == 3


def test_only_weights_configuration_card_and_hashes_are_shared_and_no_names(hub: Hub, run: Path) -> None:
    (run / "model" / "optimizer.pt").write_bytes(b"pickle")
    assert push(run, "me/discs") == 0
    there = hub.repositories["me/discs"]
    files = there.commits[there.refs["main"]]
    assert files.keys() - {".gitattributes"} == {
        "README.md",
        "config.json",
        "model.safetensors",
        "training_fingerprint.json",
    }
    assert not [name for name, content in files.items() if SECRET.encode() in content]
    assert json.loads(files["training_fingerprint.json"]) == {"train": {"0": "0" * 64}, "val": {"0": "1" * 64}}
    assert files["model.safetensors"] == (run / "model" / "model.safetensors").read_bytes()
    there.commits[there.refs["main"]]["code.py"] = b"raise SystemExit"
    there.commits[there.refs["main"]]["weights.pt"] = b"pickle"
    pulled = find_model(Path("me/discs"))
    assert {file.name for file in pulled.iterdir()} == files.keys() - {".gitattributes", "code.py", "weights.pt"}


def test_the_card_has_license_hashes_and_the_scores_of_these_weights(
    hub: Hub, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(run, "me/discs", "--intended-use", "To count discs.", "--dry-run") == 0
    assert hub.requests == []
    card = capsys.readouterr().out
    metadata = yaml.safe_load(card.split("---")[1])
    (result,) = metadata["model-index"][0]["results"]
    assert (metadata["license"], metadata["library_name"]) == ("cc0-1.0", "tmunet")
    assert [metric["value"] for metric in result["metrics"]] == [0.8125]
    assert result["dataset"] == {"name": "discs", "type": "discs", "split": "test"}
    assert "0.2500" not in card  # of other weights
    for word in (sha256(run / "model" / "model.safetensors"), "ab" * 32, "To count discs.", '"me/discs"', "0.8125"):
        assert word in card


def test_offline_the_cache_answers_and_nothing_is_asked(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert push(run, "me/discs@v1") == 0
    online = find_model(Path("me/discs@v1"))
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_model(Path("me/discs@v1")) == online
    for never in ("me/discs@v2", "me/others"):
        with pytest.raises(ModelError, check=coded("no-model")):
            find_model(Path(never))
    assert hub.requests == []


def test_a_network_starts_from_a_shared_model(hub: Hub, run: Path) -> None:
    assert push(run, "me/discs@v1") == 0
    expected = load_model(run).network.state_dict()
    for name in ("me/discs@v1", str(run)):
        found = create_model("tmunet_t", pretrained=name)
        assert all(expected[key].equal(value) for key, value in found.state_dict().items())
        assert all(parameter.requires_grad for parameter in found.parameters())
    four = create_model("tmunet_t", num_classes=4, pretrained="me/discs@v1").state_dict()
    assert four["head.weight"].shape[0] == 4
    assert all(four[key].equal(value) for key, value in expected.items() if not key.startswith("head."))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["me/nothing", "me/discs@v9"])
def test_what_the_hub_does_not_have_is_no_model(hub: Hub, run: Path, name: str) -> None:
    assert push(run, "me/discs") == 0
    with pytest.raises(ModelError, check=coded("no-model")):
        load_model(name)


@pytest.mark.slow
def test_a_repository_of_another_program_is_no_model(hub: Hub, run: Path) -> None:
    assert push(run, "me/discs") == 0
    there = hub.repositories["me/discs"]
    del there.commits[there.refs["main"]]["config.json"]
    with pytest.raises(ModelError, check=coded("no-model")):
        load_model("me/discs")


@pytest.mark.slow
def test_weights_of_another_kind_are_refused(hub: Hub, run: Path) -> None:
    assert push(run, "me/discs") == 0
    there = hub.repositories["me/discs"]
    there.commits[there.refs["main"]]["model.safetensors"] = b"\x80\x04cos\nsystem\n"  # a pickle
    with pytest.raises(ModelError, check=coded("weights")):
        load_model("me/discs")


def test_a_path_that_is_not_there_is_not_asked_of_the_hub(hub: Hub, run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty" / "runs").mkdir()
    for path in ("runs/mine", "../me/discs", "/me/discs", "a/b/c", "nothing"):
        assert not is_hub_name(Path(path))
    with pytest.raises(ModelError, check=coded("no-model", Path("runs/mine"))):
        load_model("runs/mine")
    assert hub.requests == []


@pytest.mark.slow
def test_without_the_right_to_write_the_error_says_so(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "read")
    assert push(run, "me/discs") == 3
    assert hub.repositories == {}


def test_license_and_name_are_asked_for(run: Path) -> None:
    assert main(["push", str(run), "me/discs"]) == 2
    for name in ("discs", "a/b/c", "me/discs@", "me/di scs", "me/discs@../x", "me/..x"):
        with pytest.raises(UsageError, check=coded("hub-name")):
            parse_hub_name(name)


@pytest.mark.slow
def test_a_model_in_the_cache_of_the_hub_is_not_tuned(hub: Hub, run: Path, make_dataset: Callable[..., Path]) -> None:
    assert push(run, "me/discs@v1") == 0
    with pytest.raises(UsageError, check=coded("packaged")):
        evaluate_and_report(EvaluateConfig("me/discs@v1", data=str(make_dataset()), tune_threshold=True))


@pytest.mark.slow
def test_by_the_environment_in_processes(run: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)).save(tmp_path / "here" / "a.png")
    with hub_server() as found:
        environment = {
            **os.environ,
            "HF_ENDPOINT": found.url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_TOKEN": "write",
        }

        def call(*words: object, **more: str) -> int:
            command = [sys.executable, "-m", "tmunet", *map(str, words)]
            return subprocess.run(command, cwd=tmp_path / "here", env=environment | more, timeout=120).returncode

        assert call("push", run, "me/discs@v1", "--license", "cc0-1.0") == 0
        assert call("predict", "a.png", "-m", run, "-o", "local") == 0
        assert call("predict", "a.png", "-m", "me/discs@v1", "-o", "hub") == 0
        found.requests.clear()
        assert call("predict", "a.png", "-m", "me/discs@v1", "-o", "offline", HF_HUB_OFFLINE="1") == 0
        assert found.requests == []
    masks = [(tmp_path / "here" / folder / "a.png").read_bytes() for folder in ("local", "hub", "offline")]
    assert masks[0] == masks[1] == masks[2]
