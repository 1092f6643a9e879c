"""GET /metrics, GET /health and the OpenAPI description of a real server."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .servers import Server, noise, png

LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+')


def values(server: Server) -> dict[str, float]:
    """Values of /metrics by name and labels."""
    with server.client() as client:
        answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in answer.text.splitlines() if not line.startswith(("# HELP ", "# TYPE "))]
    assert all(LINE.fullmatch(line) for line in lines)
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_metrics_count_requests_images_and_batches(server: Server) -> None:
    before = values(server)
    with server.client() as client:
        for content in (png(noise(0)), png(noise(1)), b"no image"):
            client.post("/predict", content=content)
        assert client.get("/health").json() == {"status": "ok", "in_progress": 0, "models": ["two", "three"]}
    after = values(server)

    def more(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert more('tmunet_requests_total{route="/predict",status="200"}') == 2
    assert more('tmunet_requests_total{route="/predict",status="415"}') == 1
    assert more('tmunet_images_total{model="two"}') == 2
    assert more("tmunet_batch_images_sum") == 2
    assert after['tmunet_request_seconds_bucket{le="+Inf"}'] == after["tmunet_request_seconds_count"]
    assert after["tmunet_requests_in_progress"] == 0


def test_openapi_names_every_route_and_loads_nothing_foreign(server: Server) -> None:
    with server.client() as client:
        schema = client.get("/openapi.json").json()
        assert client.get("/docs").status_code == 404
    assert set(schema["paths"]) == {
        "/predict",
        "/health",
        "/metrics",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/{name}",
        "/v2/models/{name}/ready",
        "/v2/models/{name}/infer",
    }
    assert "$defs" not in json.dumps(schema)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("schemathesis") is None, reason="schemathesis is installed outside the environment")
def test_schemathesis_finds_no_answer_that_openapi_does_not_describe(server: Server, tmp_path: Path) -> None:
    # No schema can say that bytes are an image, or that a tensor has as many numbers as the product of its shape.
    flags = ("--max-examples", "60", "--seed", "1", "--exclude-checks", "positive_data_acceptance")
    done = subprocess.run(
        ["schemathesis", "run", f"{server.url}/openapi.json", *flags],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-4000:]
