"""Model folders: what is saved is what is loaded, here and on the hub."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from tmunet import create_model, load_model, save_model
from tmunet.config import to_dict
from tmunet.data.data_config import Preprocess
from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.errors import MissingExtraError, ModelError
from tmunet.model_config import ModelConfig

from .small_models import THREE, TWO, random_model

FILES = ("README.md", "config.json", "model.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound model folder."""
    trained = random_model()
    save_model(tmp_path / "model", trained.network, trained.config)
    return tmp_path / "model"


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.mark.parametrize(("classes", "channels"), [(TWO, 3), (THREE, 1), (THREE, 5)])
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, classes: tuple[str, ...], channels: int) -> None:
    trained = random_model(classes, channels=channels)
    save_model(tmp_path / "first", trained.network, trained.config)
    loaded = load_model(tmp_path / "first")
    assert loaded.config == trained.config
    assert not loaded.network.training
    image = torch.rand(2, channels, 45, 33)
    assert torch.equal(loaded.network(image), trained.network(image))
    save_model(tmp_path / "second", loaded.network, loaded.config)
    assert contents(tmp_path / "second") == contents(tmp_path / "first")
    assert tuple(contents(tmp_path / "first")) == FILES


def test_plain_data_of_a_configuration_is_its_file(folder: Path) -> None:
    assert json.loads((folder / "config.json").read_text()) == to_dict(random_model().config)


def test_options_of_the_network_are_kept(tmp_path: Path) -> None:
    config = ModelConfig("tmunet_t", {"refine": "full", "mstm.layers": 2}, preprocess=Preprocess(size=64))
    save_model(tmp_path, config.create_network(), config)
    names = load_model(tmp_path).network.state_dict().keys()
    assert names == config.create_network().state_dict().keys()
    assert names > create_model("tmunet_t", refine="full").state_dict().keys()


@pytest.mark.parametrize("path", ["model", "model/config.json", "model/model.safetensors", "."])
def test_a_model_is_found_by_its_folder_its_files_or_its_run(folder: Path, path: str) -> None:
    assert load_model(folder.parent / path).config == random_model().config


@pytest.mark.parametrize(
    ("path", "found"), [("nothing", "nothing there"), ("empty", "a folder without them"), ("best.ckpt", "another kind")]
)
def test_what_is_no_model_is_an_error(tmp_path: Path, path: str, found: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "best.ckpt").touch()
    with pytest.raises(ModelError, match=f"expected a model folder .* found .*{found}.* can hold code"):
        load_model(tmp_path / path)


def test_the_card_says_where_the_weights_come_from_and_what_they_are_not_for(folder: Path) -> None:
    card = (folder / "README.md").read_text("utf-8")
    _, head, text = card.split("---\n", 2)
    assert yaml.safe_load(head)["library_name"] == "tmunet"
    for words in ("tmunet_t: foreground", "0 = background, 1 = foreground", "seed: 0", "note: 'a: b'", "size: 32"):
        assert words in text
    assert "not a medical device" in text


def test_a_card_without_provenance_says_so(tmp_path: Path) -> None:
    trained = random_model()
    save_model(tmp_path, trained.network, replace(trained.config, provenance={}))
    assert "nothing was recorded" in (tmp_path / "README.md").read_text("utf-8")


def test_the_hub_keeps_files_and_outputs(folder: Path, tmp_path: Path) -> None:
    from tmunet.hub import HubModel

    loaded = HubModel.from_pretrained(str(folder))
    loaded.save_pretrained(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(folder)
    image = torch.rand(1, 3, 40, 50)
    assert torch.equal(HubModel.from_pretrained(tmp_path / "again")(image), load_model(folder).network(image))
    assert loaded.trained.config == random_model().config


def test_the_hub_keeps_the_hashes_of_the_images_that_a_model_has_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub.utils import filter_repo_objects

    from tmunet import hub

    trained, seen = random_model(), TrainingFingerprint({"a": "0" * 64}, {"b": "1" * 64})
    save_model(tmp_path / "there", trained.network, trained.config, seen)
    (tmp_path / "there" / "optimizer.pt").write_bytes(b"not needed")

    def download(model_id: str, allow_patterns: list[str], **_: object) -> str:
        assert model_id == "somebody/model"
        (tmp_path / "here").mkdir()
        for name in filter_repo_objects(contents(tmp_path / "there"), allow_patterns=allow_patterns):
            (tmp_path / "here" / name).write_bytes((tmp_path / "there" / name).read_bytes())
        return str(tmp_path / "here")

    monkeypatch.setattr(hub, "snapshot_download", download)
    there = hub.HubModel._from_pretrained(model_id="somebody/model")  # the mixin itself would ask the network first
    there.save_pretrained(tmp_path / "again")
    assert load_model(tmp_path / "again").fingerprint == TrainingFingerprint(
        {"0": "0" * 64}, {"0": "1" * 64}
    )  # names of cases may name patients
    assert {"optimizer.pt"} == contents(tmp_path / "there").keys() - contents(tmp_path / "again").keys()


def test_without_the_hub_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tmunet.hub", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tmunet\[hub\]'"):
        import tmunet.hub  # noqa: F401
