"""The page of the packaged model in headless Chromium: labels, corrections, downloads, requests, accessibility, offline."""

import io
import json
import os
import shutil
import subprocess
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tmunet.data.cases import find_cases
from tmunet.data.io.images import read_image, to_channels
from tmunet.data.io.masks import read_mask
from tmunet.formats.geojson import read_geojson
from tmunet.formats.outlines import fill_polygons, number_objects
from tmunet.model import load_model
from tmunet.prediction.predictor import Predictor, packaged_model
from tmunet.prediction.web_page import RUNTIME, RUNTIME_VERSION, export_page

PACKAGES = ("puppeteer-core@25.16.0", "axe-core@4.14.1", f"{RUNTIME}@{RUNTIME_VERSION}")
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
SAMPLE = packaged_model().parents[1] / "sample"
CORRECTED = "bright_7f38885521586fc6"  # without a nucleus along its top

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="node and npm are not installed"),
]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm packages."""
    folder = tmp_path_factory.mktemp("npm")
    words = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"npm cannot install {', '.join(PACKAGES)}: {done.stderr[-300:]}")
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The test images of the sample, one of them as JPEG and as TIFF of 16 bits too, and a tall crop that is resized."""
    folder = tmp_path_factory.mktemp("images")
    names = json.loads((SAMPLE / "split.json").read_text())["test"]
    paths = [SAMPLE / "images" / f"{name}.png" for name in [CORRECTED, *(name for name in names if name != CORRECTED)]]
    array = to_channels(read_image(paths[0]), 3)
    Image.fromarray(array).save(folder / "photo.jpg", quality=95)
    tifffile.imwrite(folder / "deep.tif", array.astype(np.uint16) * 257, compression="zlib", photometric="rgb")
    Image.fromarray(np.tile(array, (3, 2, 1))[:700, :300]).save(folder / "tall.png")
    return [*paths, folder / "photo.jpg", folder / "deep.tif", folder / "tall.png"]


@pytest.fixture(scope="module")
def visit(
    tools: Path, images: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path, str]:
    """What the browser saw, the folder of its downloads, and the address of the page."""
    out = tmp_path_factory.mktemp("downloads")
    model = load_model(packaged_model())
    page = export_page(
        model, "nuclei-t", None, tools / "node_modules" / RUNTIME, tmp_path_factory.mktemp("web") / "page"
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(page.folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    words = ["node", Path(__file__).with_name("browser.mjs"), tools, address, out, *images]
    browser = subprocess.Popen(
        [str(word) for word in words],
        env={**os.environ, "CHROMIUM": str(CHROMIUM)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert browser.stderr is not None
    first = browser.stderr.readline()  # it has seen all that needs the server
    server.shutdown()
    server.server_close()
    answer, errors = browser.communicate("go on without the server\n" if first == "loaded\n" else "", timeout=300)
    assert browser.returncode == 0, first + errors
    return json.loads(answer), out, address


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def data_set(visit: tuple[dict[str, Any], Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The saved data set, unpacked."""
    folder = tmp_path_factory.mktemp("saved")
    with zipfile.ZipFile(visit[1] / "nuclei-t-masks.zip") as archive:
        archive.extractall(folder)
    return folder


def test_labels_and_confidence_are_those_of_python(data_set: Path, images: list[Path]) -> None:
    predictor = Predictor()
    provenance = {one["image"]: one for one in json.loads((data_set / "provenance.json").read_text())}
    assert provenance.keys() == {path.name for path in images}
    cases, faults = find_cases(data_set)  # as training reads it
    assert (sorted(case.name for case in cases), faults) == (sorted(path.stem for path in images), [])
    for path in images:
        expected = predictor(path)
        found = read_mask(data_set / "masks" / f"{path.stem}.png", expected.classes)
        if path.suffix == ".jpg":  # decoders differ by one
            assert np.mean(found == expected.mask) >= 0.999
            continue
        assert np.array_equal(found, expected.mask), path
        assessed = provenance[path.name]["confidence"]
        assert assessed["agreement"] == pytest.approx(expected.confidence.agreement, abs=2e-4)
        assert tuple(assessed["flags"]) == expected.confidence.flags
        assert (data_set / "images" / path.name).read_bytes() == path.read_bytes()


def test_images_to_review_come_first(visit: tuple[dict[str, Any], Path, str], data_set: Path) -> None:
    provenance = json.loads((data_set / "provenance.json").read_text())
    order = [(not one["confidence"]["flags"], one["confidence"]["agreement"]) for one in provenance]
    assert order == sorted(order)
    assert visit[0]["listed"] == [one["image"] for one in provenance]


def test_no_request_leaves_the_page(visit: tuple[dict[str, Any], Path, str]) -> None:
    found, _, address = visit
    assert found["faults"] == []
    assert len(found["requests"]) > 20
    assert [request for request in found["requests"] if not request.startswith((address, "blob:" + address))] == []
    assert found["blocked"] == "https://example.invalid/upload"


def test_there_is_no_serious_fault_of_accessibility_and_no_sideways_scrolling(
    visit: tuple[dict[str, Any], Path, str],
) -> None:
    assert visit[0]["accessibility"] == []
    assert visit[0]["overflow"] <= 0


def test_the_page_predicts_without_its_server(visit: tuple[dict[str, Any], Path, str], images: list[Path]) -> None:
    assert visit[0]["offline"] == [images[0].name]


def test_a_corrected_mask_is_saved_with_its_provenance(visit: tuple[dict[str, Any], Path, str], data_set: Path) -> None:
    found, out, _ = visit
    stem = Path(found["name"]).stem
    assert stem == CORRECTED
    classes = ("background", "nucleus")
    before = read_mask(data_set / "masks" / f"{stem}.png", classes)
    after = read_mask(out / f"{stem}.png", classes)
    changed = np.argwhere(before != after)
    provenance = json.loads((out / f"{stem}.json").read_text())
    assert provenance["changed_pixels"] == len(changed) > 0
    assert (provenance["corrected"], provenance["person"]) == (True, "A. Reader")
    assert provenance["model"]["weights_sha256"] == Predictor().weights_sha256()
    assert provenance["seconds_shown"] > 0
    assert changed[:, 0].max() < 20  # rows of the stroke along the top; the dot in the middle was undone
    assert after[changed[:, 0], changed[:, 1]].all()
    assert after[3, 10:40].all()  # painted along a third of the width,
    assert after[3, 60:80].all()
    assert not after[3, 46:51].any()  # but where it was erased


def test_outlines_fill_the_saved_mask(visit: tuple[dict[str, Any], Path, str]) -> None:
    found, out, _ = visit
    stem = Path(found["name"]).stem
    mask = read_mask(out / f"{stem}.png", ("background", "nucleus"))
    filled = np.zeros_like(mask)
    annotations = read_geojson(out / f"{stem}.geojson")
    for annotation in annotations:
        place, inside = fill_polygons(annotation.polygons, mask.shape)
        filled[place] |= inside
        assert annotation.class_name == "nucleus"
    assert np.array_equal(filled, mask)
    count = len(number_objects(mask, 2)[1])
    assert len(annotations) == count
    assert found["facts"]["nucleus"].startswith(f"{count} objects, {int(mask.sum()):,} px")
    with zipfile.ZipFile(io.BytesIO((out / f"{stem}_rois.zip").read_bytes())) as archive:
        assert archive.namelist() == [f"{number}.roi" for number in range(1, count + 1)]
