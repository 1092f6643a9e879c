"""Time of an image in the browser (ONNX Runtime Web, WebAssembly, one thread) beside ONNX Runtime on one thread.

    npm install --prefix TOOLS puppeteer-core onnxruntime-web@1.30.0
    PYTHONPATH=src python benchmarks/web.py TOOLS > benchmarks/web.md

Random weights, since they do not change the time, and the packaged model. Both run the same ONNX file on the same input, one call
each in turn; CPU time of the thread and the ratio of each turn count, so that the load of the machine cancels out. Needs node and
Chromium.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from tmunet.data.data_config import Preprocess
from tmunet.model import TrainedModel, load_model
from tmunet.model_config import ModelConfig
from tmunet.prediction.predictor import packaged_model
from tmunet.prediction.web_page import RUNTIME, RUNTIME_VERSION, export_page


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve without a log."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def model(name: str, size: int) -> TrainedModel:
    """The packaged model, or a network with random weights."""
    if name == "nuclei-t":
        return load_model(packaged_model())
    config = ModelConfig(name, classes=("background", "foreground"), preprocess=Preprocess(size, 3, "image"))
    torch.manual_seed(0)
    return TrainedModel(config.create_network().eval().requires_grad_(False), config)


def measure(name: str, size: int, tools: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of CPU time of each call in the browser, and in ONNX Runtime."""
    with tempfile.TemporaryDirectory() as folder:
        page = export_page(
            model(name, size), name, size, tools / "node_modules" / RUNTIME, Path(folder) / "page"
        ).folder
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(page)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(page / "model.onnx", options, providers=["CPUExecutionProvider"])
        values = np.sin(np.arange(3 * size * size, dtype=np.float32)).reshape(1, 3, size, size)
        words = ["node", str(Path(__file__).with_suffix(".mjs")), str(tools), f"http://127.0.0.1:{server.server_port}/"]
        words.append(next(path for path in map(shutil.which, ("chromium", "google-chrome")) if path))
        web, native = list[float](), list[float]()
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as browser:
            assert browser.stdin is not None
            assert browser.stdout is not None
            assert browser.stdout.readline() == "ready\n"
            for _ in range(rounds + 2):  # the first two warm up
                browser.stdin.write("\n")
                browser.stdin.flush()
                web.append(float(browser.stdout.readline()))
                start = time.thread_time()
                session.run(None, {"images": values})
                native.append(1000 * (time.thread_time() - start))
            browser.communicate()
        server.shutdown()
        server.server_close()
    return web[2:], native[2:]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", type=Path, help="folder with node_modules")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--models", nargs="+", default=["nuclei-t@256", "tmunet_t@512"])
    given = parser.parse_args()
    print(f"# A picture in the browser\n\n{RUNTIME} {RUNTIME_VERSION} beside onnxruntime {onnxruntime.__version__},")
    print(f"one thread each, CPU time, medians of {given.rounds} turns; `python benchmarks/web.py TOOLS`\n")
    print("| model | pixels | browser, ms | ONNX Runtime, ms | ratio (quartiles) |\n|---|---|---|---|---|")
    for word in given.models:
        name, _, size = word.partition("@")
        web, native = measure(name, int(size), given.tools, given.rounds)
        ratios = [one / other for one, other in zip(web, native, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        times = f"{statistics.median(web):.0f} | {statistics.median(native):.0f}"
        print(f"| {name} | {size} | {times} | {middle:.2f} ({low:.2f} to {high:.2f}) |", flush=True)


if __name__ == "__main__":
    main()
