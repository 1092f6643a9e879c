"""The web application of `tmunet serve`: POST /predict, health, metrics, OpenAPI, and the Open Inference Protocol."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from tmunet import __version__
from tmunet.data.io.image_bytes import read_image_bytes
from tmunet.metrics import components
from tmunet.prediction.mask_files import encode_mask
from tmunet.prediction.pipeline import Prediction
from tmunet.serving.engine import Engine
from tmunet.serving.guard import Guard
from tmunet.serving.limits import RequestError, read_upload
from tmunet.serving.open_inference import create_router
from tmunet.serving.prometheus import CONTENT_TYPE
from tmunet.serving.responses import ERRORS, OPEN
from tmunet.serving.segmentation import Service


class MaskFormat(StrEnum):
    """Format of an answer."""

    PNG = "png"
    JSON = "json"


class ClassArea(BaseModel):
    """Area of a class in an image: its pixels, and its 8-connected objects."""

    name: str
    pixels: int
    objects: int


class MaskAnswer(BaseModel):
    """A mask as JSON."""

    model: str
    height: int
    width: int
    classes: list[ClassArea]
    """Without the background."""
    threshold: float
    agreement: float
    """Between 0 and 1: low where the model is unsure, 0 for an empty mask; see `tmunet.prediction.confidence`."""
    expected_dice: float | None
    """By the calibration of the model; null without one, or for an empty mask."""
    flags: list[str]
    """Reasons to review the mask, such as "low agreement" or "intensity"."""
    mask: str
    """The PNG file, in base64."""


_FILE = {"type": "string", "format": "binary"}
_BODY = {
    "required": True,
    "description": "A PNG, JPEG, BMP or TIFF file: as the body, or as the only file of a form.",
    "content": {
        **{f"image/{kind}": {"schema": _FILE} for kind in ("png", "jpeg", "bmp", "tiff")},
        "multipart/form-data": {"schema": {"type": "object", "properties": {"image": _FILE}, "required": ["image"]}},
    },
}
_PNG = {"content": {"image/png": {"schema": _FILE}}, "model": MaskAnswer, "description": "The mask."}


def create_app(service: Service, token: str | None = None, hosts: Sequence[str] = ()) -> FastAPI:
    """Create the application.

    Args:
        service: models and limits.
        token: that requests must carry, but for the health of the server.
        hosts: that the header Host may name; empty allows all.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="TM-UNet",
        version=__version__,
        description="Segment 2D medical images. Research software, not a medical device.",
        docs_url=None,  # its page loads scripts from another site
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(Guard, metrics=service.metrics, token=token, hosts=hosts)
    _handle_errors(app)
    app.include_router(create_router(service))

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "in_progress": service.admission.count, "models": list(service.engines)}

    @app.get("/metrics", responses=OPEN, response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    @app.post(
        "/predict", responses={**ERRORS, 200: _PNG}, response_class=Response, openapi_extra={"requestBody": _BODY}
    )
    async def predict(
        request: Request,
        model: Annotated[str | None, Query(description="By default the first.")] = None,
        answer: Annotated[MaskFormat, Query(alias="format")] = MaskFormat.PNG,
    ) -> Response:
        engine = service.engine(model)
        async with service.request():
            content = await read_upload(request, service.limits.max_bytes)
            found = await service.segment(engine, lambda: read_image_bytes(content, service.limits.max_pixels))
            return await service.in_thread(lambda: _answer(engine, found, answer))

    return app


def _answer(engine: Engine, found: Prediction, answer: MaskFormat) -> Response:
    mask, classes = found.mask, engine.predictor.config.classes
    png = encode_mask(mask, classes)
    if answer is MaskFormat.PNG:
        return Response(png, media_type="image/png")
    areas = [
        ClassArea(name=name, pixels=int((mask == label).sum()), objects=len(components(mask == label)[1]) - 1)
        for label, name in enumerate(classes)
        if label
    ]
    return JSONResponse(
        MaskAnswer(
            model=engine.name,
            height=mask.shape[0],
            width=mask.shape[1],
            classes=areas,
            threshold=engine.predictor.postprocess.threshold,
            agreement=found.confidence.agreement,
            expected_dice=found.confidence.expected_dice,
            flags=list(found.confidence.flags),
            mask=base64.b64encode(png).decode("ascii"),
        ).model_dump()
    )


def _handle_errors(app: FastAPI) -> None:
    """Answer every error as JSON with "error", as the Open Inference Protocol has it, and "code"."""

    @app.exception_handler(RequestError)
    async def refused(_: Request, error: RequestError) -> JSONResponse:
        return JSONResponse({"error": str(error), "code": error.code}, error.status, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        places = sorted({".".join(map(str, one["loc"])) for one in error.errors()})
        return JSONResponse({"error": f"These do not fit: {', '.join(places)}.", "code": "request"}, 422)

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail, "code": "http"}, error.status_code, error.headers)
