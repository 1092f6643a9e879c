"""POST /predict: masks equal to those of `predict`, in each format, from many clients at once; what does not fit."""

import asyncio
import base64
import io
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from starlette.requests import Request

from tmunet.metrics import components
from tmunet.prediction.folder import predict_files
from tmunet.prediction.predictor import Predictor
from tmunet.serving.limits import RequestError, read_upload

from .servers import Server, noise, pixels, png


def test_the_answer_is_the_file_that_predict_writes(server: Server, predictor: Predictor, tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(png(noise(0)))
    predict_files(predictor, [image], tmp_path / "out")
    with server.client() as client:
        raw = client.post("/predict", content=image.read_bytes(), headers={"Content-Type": "image/png"})
        form = client.post("/predict", files={"image": ("name.png", image.read_bytes())})
    assert raw.status_code == form.status_code == 200
    assert raw.headers["content-type"] == "image/png"
    assert raw.content == form.content
    expected = pixels((tmp_path / "out" / "a.png").read_bytes())
    assert set(np.unique(expected)) == {0, 255}
    assert np.array_equal(pixels(raw.content), expected)


@pytest.mark.parametrize("kind", ["tiff16", "gray", "jpeg", "bmp"])
def test_every_kind_of_file_is_read_as_from_disk(
    server: Server, predictor: Predictor, tmp_path: Path, kind: str
) -> None:
    file, image = tmp_path / "image", noise(1)
    if kind == "tiff16":
        tifffile.imwrite(file, image.astype(np.uint16) * 257, photometric="rgb")
    elif kind == "gray":
        Image.fromarray(image[..., 0]).save(file, "PNG")
    else:
        Image.fromarray(image).save(file, kind)
    with server.client() as client:
        answer = client.post("/predict", content=file.read_bytes())
    assert np.array_equal(pixels(answer.content), predictor(file).mask * 255)


def test_json_has_areas_objects_and_confidence(server: Server, models: tuple[Path, Path]) -> None:
    image = noise(2)
    expected = Predictor(models[1])(image)
    with server.client() as client:
        answer = client.post("/predict?model=three&format=json", content=png(image)).json()
    assert (answer["model"], answer["height"], answer["width"]) == ("three", *image.shape[:2])
    assert np.array_equal(pixels(base64.b64decode(answer["mask"])), expected.mask)
    for label, area in enumerate(answer["classes"], start=1):
        region = expected.mask == label
        assert area == {
            "name": expected.classes[label],
            "pixels": region.sum(),
            "objects": len(components(region)[1]) - 1,
        }
    confidence = expected.confidence
    assert answer["agreement"] == pytest.approx(confidence.agreement)
    assert (answer["expected_dice"], answer["flags"]) == (confidence.expected_dice, list(confidence.flags))


def test_concurrent_clients_get_the_masks_of_predict(server: Server, predictor: Predictor) -> None:
    images = [noise(seed, 30 + seed % 5, 40 + seed % 3) for seed in range(40)]

    def ask(image: np.ndarray) -> tuple[int, bytes, str | None]:
        with server.client() as client:
            answer = client.post("/predict", content=png(image))
        return answer.status_code, answer.content, answer.headers.get("retry-after")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, images))
    done = 0
    for image, (status, content, retry) in zip(images, answers, strict=True):
        assert status in (200, 503)
        if status == 503:
            assert retry == "1"
        else:
            done += 1
            assert np.array_equal(pixels(content), predictor(image).mask * 255)
    assert done >= 20


@pytest.mark.parametrize(
    ("query", "content", "status", "code"),
    [
        ("", b"not an image", 415, "format"),
        ("", b"", 422, "empty"),
        ("", png(noise(0))[:200], 422, "damaged"),
        ("?format=gif", png(noise(0)), 422, "request"),
        ("?model=four", png(noise(0)), 404, "model"),
    ],
)
def test_what_does_not_fit_is_an_error_with_a_code(
    server: Server, query: str, content: bytes, status: int, code: str
) -> None:
    with server.client() as client:
        answer = client.post(f"/predict{query}", content=content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_channels_that_do_not_fit_are_refused(server: Server) -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((5, 20, 30), np.uint8), photometric="minisblack", planarconfig="separate")
    with server.client() as client:
        assert client.post("/predict", content=buffer.getvalue()).status_code == 422


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nbroken"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n'),
    ],
)
def test_a_damaged_form_is_a_bad_request(server: Server, kind: str, content: bytes) -> None:
    with server.client() as client:
        answer = client.post("/predict", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (400, "form")


def test_nothing_of_a_large_form_is_written_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    image = bytes(3_000_000)  # more than the megabyte above which forms are usually spooled to a file
    content = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + image + b"\r\n--b--\r\n"
    headers = [(b"content-type", b"multipart/form-data; boundary=b")]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": content, "more_body": False}

    def spooled(file: object) -> None:
        raise AssertionError("the form was written to a file")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", spooled)
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    assert asyncio.run(read_upload(request, 4_000_000)) == image


@pytest.mark.parametrize("limit", [1, 2_999_999])
def test_a_form_over_the_limit_is_refused(limit: int) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"-" * 3_000_000, "more_body": True}

    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    with pytest.raises(RequestError) as error:
        asyncio.run(read_upload(Request({"type": "http", "method": "POST", "headers": headers}, receive), limit))
    assert error.value.status == 413
