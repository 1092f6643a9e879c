"""`tmunet pacs` against a real archive, Orthanc with its DICOMweb plugin; `orthanc_scenario.py` runs beside it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmunet.model import save_model
from tmunet.prediction.predictor import Predictor

from ..formats.dicom_sources import KINDS, make, read, save
from ..small_models import random_model

SCENARIO = Path(__file__).with_name("orthanc_scenario.py")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
STUDY = "1.2.826.0.1.3680043.10.77"
PLANTED = {"PatientName": "Planted^Agatha", "PatientID": "PLANTEDID", "PatientBirthDate": "19330227"}
FEW = ("ultrasound", "ultrasound-loop", "endoscopy", "xray", "ct", "dermoscopy")
TRACES = ("planted", "agatha", "19330227")


def need_orthanc() -> None:
    pytest.importorskip("highdicom")
    if shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin") is None or not PLUGIN.exists():
        pytest.skip("orthanc and orthanc-dicomweb are not installed")
    if shutil.which("unshare") is None or subprocess.run(["unshare", "--net", "true"], check=False).returncode:
        pytest.skip("no network namespace can be made here, and Debian's Orthanc listens on every address")


def run(
    folder: Path, model: Path | str, kinds: Iterable[str], kills: int = 0
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Returns the report, and the images by their SOP Instance UID."""
    images: dict[str, Path] = {}
    for number, kind in enumerate(kinds):
        file = save(folder / "images" / f"{kind}.dcm", make(kind, (64, 93), number, StudyInstanceUID=STUDY, **PLANTED))
        images[str(read(file).SOPInstanceUID)] = file
    out = folder / "out"
    command = ["unshare", "--net", sys.executable, SCENARIO, folder / "images", model, out, str(kills)]
    out.mkdir()
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads((out / "report.json").read_text("utf-8"))
    shown = (out / "said.txt").read_text("utf-8") + done.stdout + done.stderr
    shown += "\n".join(str(path.relative_to(folder)) for path in folder.rglob("*"))
    assert [trace for trace in TRACES if trace in shown.lower()] == []
    assert len(shown) > 1000
    assert (report["dry"], report["first"], report["second"]) == (0, 0, 0)
    assert len(report["stored"]) == len(images)
    return report, images


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tmunet.errors.TMUNetWarning")  # noise is a domain shift
def test_the_masks_in_the_archive_are_those_of_predict_and_a_second_run_stores_nothing(tmp_path: Path) -> None:
    need_orthanc()
    import highdicom

    report, images = run(tmp_path, "nuclei-t", KINDS)
    assert report["stored_by_dry_run"] == 0
    assert report["received_by_second_run"] == 0
    predictor = Predictor("nuclei-t")
    found = {}
    for uid in report["stored"]:
        segmentation = highdicom.seg.segread(tmp_path / "out" / "stored" / f"{uid}.dcm")
        ((_, _, source),) = {tuple(one)[:3] for one in segmentation.get_source_image_uids()}
        frames = list(range(1, int(read(images[source]).get("NumberOfFrames", 1)) + 1))
        if len(frames) == 1:
            masks = segmentation.get_pixels_by_source_instance([source], combine_segments=True)
        else:
            masks = segmentation.get_pixels_by_source_frame(source, frames, combine_segments=True)
        found[source] = masks
        assert segmentation.PatientName == PLANTED["PatientName"]
    assert found.keys() == images.keys()
    for source, masks in found.items():
        image = read(images[source])
        if len(masks) == 1:
            np.testing.assert_array_equal(masks[0], predictor(images[source]).mask)
        else:
            for mask, pixels in zip(masks, image.pixel_array, strict=True):
                np.testing.assert_array_equal(mask, predictor(pixels).mask)
    assert any(masks.any() for masks in found.values())


@pytest.mark.nightly
def test_thirty_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    need_orthanc()
    trained = random_model()  # a small one: the moments of a kill are spread over more than the network
    save_model(tmp_path / "model", trained.network, trained.config)
    report, images = run(tmp_path, tmp_path / "model", FEW, kills=30)
    assert report["wrong"] == []
    assert report["killed"] >= 20  # the others had ended by then
    assert any(0 < stored < len(images) for stored in report["stored_when_killed"])
