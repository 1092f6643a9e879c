"""The Open Inference Protocol, version 2: metadata, and inference with JSON tensors."""

from typing import Any

import numpy as np
import pytest

from tmunet import __version__
from tmunet.prediction.predictor import Predictor

from .servers import Server, noise


def body(images: np.ndarray, datatype: str = "UINT8", **more: Any) -> dict[str, Any]:
    tensor = {"name": "image", "shape": list(images.shape), "datatype": datatype, "data": images.ravel().tolist()}
    return {"inputs": [tensor], **more}


def test_the_server_and_its_models_describe_themselves(server: Server) -> None:
    with server.client() as client:
        assert client.get("/v2").json() == {"name": "tmunet", "version": __version__, "extensions": []}
        assert client.get("/v2/health/live").json() == {"live": True}
        assert client.get("/v2/health/ready").json() == {"ready": True}
        assert client.get("/v2/models/three/ready").json() == {"name": "three", "ready": True}
        model = client.get("/v2/models/three").json()
        assert client.get("/v2/models/four").status_code == client.get("/v2/models/four/ready").status_code == 404
    assert (model["name"], model["platform"]) == ("three", "tmunet_torch")
    assert model["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}]
    assert [(one["name"], one["datatype"], one["shape"]) for one in model["outputs"]] == [
        ("mask", "UINT8", [-1, -1, -1]),
        ("probability", "FP32", [-1, 3, -1, -1]),
    ]
    assert model["parameters"]["classes"] == ["background", "a", "b"]


def test_masks_and_probabilities_are_those_of_predict(server: Server, predictor: Predictor) -> None:
    images = np.stack([noise(seed, 20, 24) for seed in range(3)])
    asked = [{"name": "probability"}, {"name": "mask"}]
    with server.client() as client:
        answer = client.post("/v2/models/two/infer", json=body(images, id="7", outputs=asked)).json()
    assert (answer["model_name"], answer["id"]) == ("two", "7")
    probability, mask = answer["outputs"]
    assert (probability["name"], probability["datatype"], probability["shape"]) == (
        "probability",
        "FP32",
        [3, 2, 20, 24],
    )
    assert (mask["name"], mask["datatype"], mask["shape"]) == ("mask", "UINT8", [3, 20, 24])
    expected = [predictor(image) for image in images]
    found = np.array(probability["data"], np.float32).reshape(probability["shape"])
    assert np.array_equal(found, np.stack([one.probability for one in expected]))
    assert np.array_equal(np.array(mask["data"]).reshape(mask["shape"]), np.stack([one.mask for one in expected]))


def test_nested_tensors_of_16_bits_are_read(server: Server, predictor: Predictor) -> None:
    image = noise(1, 18, 22).astype(np.uint16) * 257
    asked = body(image[None], "UINT16")
    asked["inputs"][0]["data"] = image[None].tolist()
    with server.client() as client:
        (mask,) = client.post("/v2/models/two/infer", json=asked).json()["outputs"]
    assert np.array_equal(np.array(mask["data"]).reshape(18, 22), predictor(image).mask)


def changed(**fields: Any) -> dict[str, Any]:
    asked = body(np.zeros((1, 2, 2, 3), np.uint8))
    asked["inputs"][0] |= fields
    return asked


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        (b"{", 400, "json"),
        (b"\xff\xfe", 400, "json"),
        (b"[" * 100_000, 400, "json"),
        (b"{}", 422, "request"),
        (b"[]", 422, "request"),
        (changed(name="other"), 422, "request"),
        (changed(datatype="FP32"), 422, "request"),
        (changed(shape=[1, 2, 2]), 422, "request"),
        (changed(shape=[1, 2, -2, 3]), 422, "request"),
        (changed(shape=[1, 2, 3, 3]), 422, "data"),
        (changed(data=[0.5] * 12), 422, "data"),
        (changed(data=[256] * 12), 422, "data"),
        (changed(data=[-1] * 12), 422, "data"),
        (changed(data=["1"] * 12), 422, "data"),
        (changed(data=[[1], [1, 2]]), 422, "data"),
        (changed(data=[10**30] * 12), 422, "data"),
        (changed(data=[None] * 12), 422, "data"),
        (changed(shape=[1, 60_000, 60_000, 3]), 422, "too-large"),
        (changed(shape=[1_000, 2, 2, 3]), 422, "too-large"),
        (changed(shape=[1, 10**30, 1, 1]), 422, "too-large"),
        (changed(shape=[1, 2, 3, 2]), 422, "channels"),
    ],
)
def test_what_does_not_fit_is_refused(server: Server, asked: Any, status: int, code: str) -> None:
    content = {"content": asked} if isinstance(asked, bytes) else {"json": asked}
    with server.client() as client:
        answer = client.post("/v2/models/two/infer", **content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert isinstance(answer.json()["error"], str)
