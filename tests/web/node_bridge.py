"""Call the JavaScript functions of the web page under node."""

import base64
import json
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

NODE = shutil.which("node")


class Node:
    """A node process; arrays are typed arrays there, bytes are a file (Blob)."""

    def __enter__(self) -> Self:
        assert NODE is not None
        words = [NODE, str(Path(__file__).with_name("call.mjs"))]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def call(self, module: str, function: str, *given: Any) -> Any:
        """Call a function of a module of the page; raises a `ValueError` with what the function throws."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        address = (Path(str(resources.files("tmunet"))) / "web" / f"{module}.js").as_uri()
        self._process.stdin.write(json.dumps([address, function, [_encode(one) for one in given]]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return _decode(answer.get("result"))


def image_of(array: np.ndarray) -> dict[str, Any]:
    """An array (H, W, C) as the page has images."""
    height, width, channels = array.shape
    return {"width": width, "height": height, "channels": channels, "data": array.ravel()}


def array_of(image: dict[str, Any]) -> np.ndarray:
    """An image of the page as an array (H, W, C)."""
    return np.asarray(image["data"]).reshape(image["height"], image["width"], image["channels"])


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"$array": value.dtype.name, "base64": base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()}
    if isinstance(value, bytes):
        return {"$file": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: _encode(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(one) for one in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, dict) and "$array" in value:
        return np.frombuffer(base64.b64decode(value["base64"]), np.dtype(value["$array"]))
    if isinstance(value, dict):
        return {key: _decode(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_decode(one) for one in value]
    return value
