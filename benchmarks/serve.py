"""Throughput of `tmunet serve`, beside `tmunet predict` and a plain FastAPI app, on the same images and with one backend.

    PYTHONPATH=src python benchmarks/serve.py --rounds 5

Each round runs the three one after the other; the ratio of each round counts, so that the load of the machine cancels out.
The plain app decodes, predicts and encodes one image a request, with the `Predictor` of PyTorch, as one writes it in ten minutes.
"""

import argparse
import io
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import torch

import tmunet
from tmunet.prediction.folder import predict_files
from tmunet.prediction.predictor import Predictor

SAMPLE = Path(tmunet.__file__).parent / "sample" / "images"
PLAIN = """
import io
import numpy as np
import uvicorn
from fastapi import FastAPI, Response, UploadFile
from PIL import Image
from tmunet.prediction.predictor import Predictor

app, predictor = FastAPI(), Predictor()

@app.post("/predict")
def predict(image: UploadFile):
    mask = predictor(np.asarray(Image.open(image.file).convert("RGB"))).mask
    buffer = io.BytesIO()
    Image.fromarray(mask * np.uint8(255)).save(buffer, "PNG")
    return Response(buffer.getvalue(), media_type="image/png")

uvicorn.run(app, port=PORT, log_level="warning")
"""


def wait(url: str) -> None:
    """Wait until a server answers."""
    for _ in range(1200):
        try:
            httpx2.get(url, trust_env=False)
            return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def ask(url: str, images: list[bytes], clients: int) -> float:
    """Send all images from several clients at once; returns images a second."""
    local = threading.local()

    def one(image: bytes) -> None:
        if not hasattr(local, "client"):
            local.client = httpx2.Client(timeout=120, trust_env=False)
        local.client.post(url, files={"image": image}).raise_for_status()

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, images))
    return len(images) / (time.perf_counter() - start)


def predict(predictor: Predictor, files: list[Path]) -> float:
    """Predict all images into a folder, as `tmunet predict` does; returns images a second."""
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        predict_files(predictor, files, Path(out) / "masks")
        return len(files) / (time.perf_counter() - start)


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--port", type=int, default=18400)
    settings = parser.parse_args()
    files = sorted(SAMPLE.iterdir())
    images = [file.read_bytes() for file in files]
    server = subprocess.Popen(
        [sys.executable, "-m", "tmunet", "serve", "--port", str(settings.port)], stdout=subprocess.PIPE, text=True
    )
    plain = subprocess.Popen([sys.executable, "-c", PLAIN.replace("PORT", str(settings.port + 1))], env=os.environ)
    try:
        served, simple = (f"http://127.0.0.1:{settings.port + extra}" for extra in (0, 1))
        wait(f"{served}/health")
        wait(f"{simple}/docs")
        assert server.stdout is not None
        found = re.search(r": (\w+), (\d+) threads", first := server.stdout.readline())
        assert found is not None, first
        torch.set_num_threads(int(found[2]))
        predictor = Predictor(backend=found[1])  # type: ignore[arg-type]
        measures = {
            "tmunet serve": lambda: ask(f"{served}/predict", images, settings.clients),
            "tmunet predict": lambda: predict(predictor, files),
            "plain FastAPI": lambda: ask(f"{simple}/predict", images, settings.clients),
        }
        rates: dict[str, list[float]] = {name: [] for name in measures}
        for number in range(settings.rounds + 1):  # the first warms up
            for name, measure in measures.items():
                rate = measure()
                if number:
                    rates[name].append(rate)
    finally:
        for process in (server, plain):
            process.terminate()
            process.wait()
    table = io.StringIO()
    print(f"{first.strip()}; {len(files)} images, {settings.clients} clients, {settings.rounds} rounds\n", file=table)
    print("| | images/s, median | serve is times it, median (lowest to highest) |\n|---|---|---|", file=table)
    for name, found_rates in rates.items():
        ratios = [ours / other for ours, other in zip(rates["tmunet serve"], found_rates, strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| {name} | {statistics.median(found_rates):.1f} | {spread} |", file=table)
    print(table.getvalue(), end="")


if __name__ == "__main__":
    main()
