"""MONAI bundles: MONAI's own verifiers take them, and MONAI alone predicts the labels of `tmunet predict`.

`meta_schema_20240725.json` is MONAI's schema of metadata.json, which MONAI would download: public/schema of
Project-MONAI/project-monai.github.io (Apache-2.0) at abfc0515409b160a9af8f5cef631dff45d503162.
"""

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tmunet.data.fingerprint import TrainingFingerprint
from tmunet.data.preprocess import normalize
from tmunet.errors import BackendError, UsageError
from tmunet.files import sha256
from tmunet.hub_card import Score
from tmunet.model import TrainedModel, load_model
from tmunet.model_config import OperatingPoint, packaged_model
from tmunet.prediction.monai_bundle import MODEL, SCHEMA, export_bundle
from tmunet.prediction.predictor import Predictor

from ..coded_errors import coded
from ..small_models import THREE, bright_model, colored_model, random_model
from .exported import SAMPLE

bundle = pytest.importorskip("monai.bundle", reason="pip install 'tmunet[monai]'")
VENDORED = Path(__file__).parent / "meta_schema_20240725.json"
RUN = """
import sys
from monai.bundle import run
run(config_file="configs/inference.json", bundle_root=".", dataset_dir=sys.argv[1], output_dir=sys.argv[2])
assert not [name for name in sys.modules if name.split(".")[0] == "tmunet"]
"""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


def pictures(folder: Path) -> list[Path]:
    """Pictures of every kind that a bundle takes, smaller and larger than the network's input and not square."""
    random = np.random.default_rng(0)
    smooth = np.kron(random.integers(0, 255, (5, 7, 3)), np.ones((9, 8, 1))).astype(np.uint8)
    folder.mkdir()
    picture = Image.fromarray(smooth)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    picture.save(folder / "color.png")
    picture.convert("L").save(folder / "gray.png")
    picture.convert("RGBA").save(folder / "alpha.png")
    picture.quantize(16).save(folder / "palette.png")
    picture.save(folder / "photo.jpg", exif=exif)
    picture.resize((20, 17)).save(folder / "small.bmp")
    return sorted(folder.iterdir())


def run_bundle(folder: Path, images: Path, masks: Path) -> None:
    """Run the inference of a bundle with MONAI, in this process."""
    root = {"bundle_root": str(folder), "dataset_dir": str(images), "output_dir": str(masks)}
    bundle.run(config_file=str(folder / "configs" / "inference.json"), **root)


def test_both_verifiers_of_monai_pass(tmp_path: Path) -> None:
    export_bundle(colored_model(), tmp_path / "bundle")
    configs = tmp_path / "bundle" / "configs"
    schema = tmp_path / "schema.json"
    shutil.copy(VENDORED, schema)  # the download is left out where the file is there
    bundle.verify_metadata(str(configs / "metadata.json"), filepath=str(schema))
    names = {"meta_file": str(configs / "metadata.json"), "config_file": str(configs / "inference.json")}
    bundle.verify_net_in_out("network_def", **names, device="cpu", bundle_root=str(tmp_path / "bundle"))
    content = json.loads((configs / "metadata.json").read_text())
    assert content["schema"] == SCHEMA
    del content["copyright"]
    (configs / "metadata.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="copyright"):
        bundle.verify_metadata(str(configs / "metadata.json"), filepath=str(schema))


@pytest.mark.parametrize(
    "trained",
    [
        colored_model(),
        pytest.param(random_model(), marks=pytest.mark.slow),
        pytest.param(random_model(THREE, channels=1), marks=pytest.mark.slow),
    ],
    ids=["three", "two", "gray"],
)
def test_monai_predicts_the_same_labels(trained: TrainedModel, tmp_path: Path) -> None:
    parity = export_bundle(trained, tmp_path / "bundle")
    assert parity.same_labels == 1.0
    images = pictures(tmp_path / "images")
    run_bundle(tmp_path / "bundle", tmp_path / "images", tmp_path / "masks")
    predictor = Predictor(trained)
    seen = set()
    for image in images:
        mask = np.asarray(Image.open(tmp_path / "masks" / f"{image.stem}.png"))
        expected = predictor(image).mask * (255 if len(trained.config.classes) == 2 else 1)
        assert np.array_equal(mask, expected), image.name
        seen |= set(np.unique(mask))
    assert len(seen) > 1


def test_the_threshold_of_the_model_is_kept(tmp_path: Path) -> None:
    point = OperatingPoint(0.9, 0.8, 0.7, 10, "discs", "0" * 64)
    plain = bright_model()
    trained = replace(plain, config=replace(plain.config, operating_point=point))
    export_bundle(trained, tmp_path / "bundle")
    (image, *_) = pictures(tmp_path / "images")
    run_bundle(tmp_path / "bundle", tmp_path / "images", tmp_path / "masks")
    mask = np.asarray(Image.open(tmp_path / "masks" / f"{image.stem}.png"))
    assert np.array_equal(mask, Predictor(trained)(image).mask * 255)
    assert not np.array_equal(mask, Predictor(plain)(image).mask * 255)


def test_a_picture_of_16_bits_is_refused_and_not_cut(tmp_path: Path) -> None:
    export_bundle(bright_model(), tmp_path / "bundle")
    (tmp_path / "images").mkdir()
    Image.fromarray(np.full((8, 8), 300, np.uint16)).save(tmp_path / "images" / "deep.png")
    with pytest.raises(RuntimeError):
        run_bundle(tmp_path / "bundle", tmp_path / "images", tmp_path / "masks")
    assert not (tmp_path / "masks").exists() or not list((tmp_path / "masks").iterdir())


@pytest.mark.slow
def test_the_network_file_is_torchscript_for_any_batch_size(tmp_path: Path) -> None:
    trained = random_model()
    export_bundle(trained, tmp_path / "bundle")
    found = torch.jit.load(tmp_path / "bundle" / MODEL)
    images = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(found(images), trained.network(normalize(images, "image")), atol=1e-4)


def test_the_metadata_state_hashes_and_scores_and_no_names(tmp_path: Path) -> None:
    trained = bright_model()
    trained.config.provenance["data_sha256"] = "ab" * 32
    known = TrainedModel(trained.network, trained.config, TrainingFingerprint({"patient-smith": "0" * 64}, {}))
    score = Score("discs", "test", "strict", "foreground", 7, (0.8, 0.7, 0.9), 3.0, "pixels")
    export_bundle(known, tmp_path / "bundle", [score])
    about = json.loads((tmp_path / "bundle" / "configs" / "metadata.json").read_text())
    assert about["model_sha256"] == sha256(tmp_path / "bundle" / MODEL)
    assert about["trained"]["data_sha256"] == "ab" * 32
    assert about["eval_metrics"] == {"foreground, discs test, protocol strict": {"dice": 0.8, "images": 7}}
    files = [file for file in (tmp_path / "bundle").rglob("*") if file.is_file()]
    assert not [file for file in files if b"patient-smith" in file.read_bytes()]
    assert b"tmunet" not in (tmp_path / "bundle" / "configs" / "inference.json").read_bytes()


def test_what_cannot_be_a_bundle_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(BackendError, check=coded("channels")):
        export_bundle(random_model(channels=4), tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UsageError, check=coded("not-empty", tmp_path / "full")):
        export_bundle(bright_model(), tmp_path / "full")


@pytest.mark.slow
def test_in_a_process_without_tmunet_on_every_sample_image(tmp_path: Path) -> None:
    export_bundle(load_model(packaged_model()), tmp_path / "nuclei")
    words = [sys.executable, "-c", RUN, str(SAMPLE), str(tmp_path / "masks")]
    done = subprocess.run(words, cwd=tmp_path / "nuclei", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    predictor, images = Predictor(), sorted(SAMPLE.iterdir())
    for image in images:
        mask = np.asarray(Image.open(tmp_path / "masks" / f"{image.stem}.png"))
        assert np.mean(mask == predictor(image).mask * 255) >= 0.9999
    assert len(images) > 50
