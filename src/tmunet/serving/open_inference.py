"""Open Inference Protocol, version 2 (KServe, Triton), over HTTP with JSON tensors.

Input "image", UINT8 or UINT16, (B, H, W, C); outputs "mask", UINT8, (B, H, W), and, where asked for, "probability", FP32,
(B, K, H, W), background first.
"""

import asyncio
import json
import math
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from tmunet import __version__
from tmunet.prediction.pipeline import Prediction
from tmunet.serving.engine import Engine
from tmunet.serving.limits import RequestError, read_body
from tmunet.serving.responses import ERRORS, OPEN, ErrorAnswer
from tmunet.serving.segmentation import Service

MAX_IMAGES = 16  # of one request
_DTYPES: Mapping[str, Any] = {"UINT8": np.uint8, "UINT16": np.uint16}
_OUTPUTS = {"mask": "UINT8", "probability": "FP32"}


class InputTensor(BaseModel):
    """A tensor of a request; the data is flat or nested, row by row."""

    name: Literal["image"]
    shape: list[Annotated[int, Field(gt=0)]] = Field(min_length=4, max_length=4, description="B, H, W, C")
    datatype: Literal["UINT8", "UINT16"]
    data: list[Any]


class RequestedOutput(BaseModel):
    """An output that is asked for."""

    name: Literal["mask", "probability"]


class InferRequest(BaseModel):
    """A request for the masks of images."""

    id: str | None = None
    inputs: list[InputTensor] = Field(min_length=1, max_length=1)
    outputs: list[RequestedOutput] | None = None


def create_router(service: Service) -> APIRouter:
    """Create the routes under /v2."""
    router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])
    name_of_model = Path(json_schema_extra={"enum": list(service.engines)})

    @router.get("", responses=OPEN)
    async def server_metadata() -> dict[str, Any]:
        return {"name": "tmunet", "version": __version__, "extensions": []}

    @router.get("/health/live")
    async def server_live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready")
    async def server_ready() -> dict[str, bool]:
        return {"ready": True}

    @router.get("/models/{name}", responses={**OPEN, 404: {"model": ErrorAnswer}})
    async def model_metadata(name: Annotated[str, name_of_model]) -> dict[str, Any]:
        return _metadata(service.engine(name))

    @router.get("/models/{name}/ready", responses={**OPEN, 404: {"model": ErrorAnswer}})
    async def model_ready(name: Annotated[str, name_of_model]) -> dict[str, Any]:
        return {"name": service.engine(name).name, "ready": True}

    body = {"content": {"application/json": {"schema": _inline_schema()}}, "required": True}

    @router.post("/models/{name}/infer", responses=ERRORS, openapi_extra={"requestBody": body})
    async def infer(name: Annotated[str, name_of_model], request: Request) -> Response:
        engine = service.engine(name)
        async with service.request():
            content = await read_body(request, service.limits.max_bytes)
            asked, images = await service.in_thread(lambda: _parse(content, service.limits.max_pixels))
            results = await asyncio.gather(*(service.segment(engine, partial(np.asarray, one)) for one in images))
            return await service.in_thread(lambda: _answer(engine, asked, results))

    return router


def _inline_schema() -> dict[str, Any]:
    """The schema of a request without references, which OpenAPI resolves elsewhere than JSON Schema."""
    schema = InferRequest.model_json_schema()
    del schema["$defs"]
    schema["properties"]["inputs"]["items"] = InputTensor.model_json_schema()
    schema["properties"]["outputs"]["anyOf"][0]["items"] = RequestedOutput.model_json_schema()
    return schema


def _metadata(engine: Engine) -> dict[str, Any]:
    config = engine.predictor.config
    classes, channels = len(config.classes), config.preprocess.channels
    return {
        "name": engine.name,
        "versions": ["1"],
        "platform": f"tmunet_{engine.predictor.backend}",
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, channels]}],
        "outputs": [
            {"name": "mask", "datatype": "UINT8", "shape": [-1, -1, -1]},
            {"name": "probability", "datatype": "FP32", "shape": [-1, classes, -1, -1]},
        ],
        "parameters": {
            "classes": list(config.classes),
            "threshold": engine.predictor.postprocess.threshold,
            "threads": engine.threads,
            "batch_size": engine.batch_size,
        },
    }


def _parse(content: bytes, max_pixels: int) -> tuple[InferRequest, list[NDArray[Any]]]:
    try:
        asked = InferRequest.model_validate(json.loads(content))
    except ValidationError as error:
        places = sorted({".".join(map(str, one["loc"])) or "body" for one in error.errors(include_input=False)})
        raise RequestError(
            422, f"The request does not fit the protocol, at: {', '.join(places[:8])}.", "request"
        ) from None
    except (ValueError, RecursionError):
        raise RequestError(400, "The body is not JSON.", "json") from None
    (tensor,) = asked.inputs
    count, height, width, channels = tensor.shape
    if count > MAX_IMAGES or height * width * count * max(channels, 4) > 4 * max_pixels:
        raise RequestError(422, f"Expected at most {MAX_IMAGES} images and {max_pixels:,} pixels.", "too-large")
    return asked, list(_array(tensor))


def _array(tensor: InputTensor) -> NDArray[Any]:
    kind = _DTYPES[tensor.datatype]
    try:
        values = np.asarray(tensor.data)
    except (ValueError, OverflowError, RecursionError):
        values = np.empty(0)
    largest = int(np.iinfo(kind).max)
    if values.size != math.prod(tensor.shape) or values.dtype.kind not in "iu":
        raise RequestError(422, f"Expected data of {math.prod(tensor.shape):,} whole numbers, as shape says.", "data")
    if values.min() < 0 or values.max() > largest:
        raise RequestError(422, f"Expected data between 0 and {largest}, as datatype says.", "data")
    return values.astype(kind).reshape(tensor.shape)


def _answer(engine: Engine, asked: InferRequest, results: list[Prediction]) -> JSONResponse:
    arrays: dict[str, list[NDArray[Any]]] = {
        "mask": [one.mask for one in results],
        "probability": [one.probability for one in results],
    }
    names = ["mask"] if not asked.outputs else list(dict.fromkeys(one.name for one in asked.outputs))
    outputs = []
    for name in names:
        stacked = np.stack(arrays[name])
        outputs.append(
            {"name": name, "datatype": _OUTPUTS[name], "shape": list(stacked.shape), "data": stacked.ravel().tolist()}
        )
    given = {} if asked.id is None else {"id": asked.id}
    return JSONResponse({"model_name": engine.name, "model_version": "1", **given, "outputs": outputs})
