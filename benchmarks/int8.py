"""Which convolutions int8 takes, and with which scales: the masks of nuclei-t in each choice beside those of float32, and time.

    python benchmarks/int8.py [--out benchmarks/int8.md]

Scales are found on every other image of the sample, masks compared on the rest. Times are of the base size with fresh weights, in
turns. `tmunet.prediction.int8` follows from the page.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from tmunet.cli.demo import sample_folder
from tmunet.cli.process_setup import prepare_process
from tmunet.files import write_text
from tmunet.metrics import dice
from tmunet.model import load_model
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.prediction.backends.formats import WRITERS, eager_session
from tmunet.prediction.backends.sessions import load
from tmunet.prediction.int8 import left_in_float32, require_nncf
from tmunet.prediction.pipeline import Pipeline
from tmunet.prediction.postprocess import decide
from tmunet.prediction.predictor import packaged_model
from tmunet.registry import create_model
from tmunet.versions import versions
from tmunet_lab.bench.environment import processor
from tmunet_lab.bench.timing import Quartiles, ratio, time_interleaved

CHOSEN = "no depthwise and not the first, symmetric (chosen)"
CHOICES = {  # preset, whether the convolution that reads the image and the depthwise ones are among them
    "all convolutions, symmetric": ("PERFORMANCE", True, True),
    "all but the first, symmetric": ("PERFORMANCE", False, True),
    "all but the first, with zero points": ("MIXED", False, True),
    "no depthwise, symmetric": ("PERFORMANCE", True, False),
    CHOSEN: ("PERFORMANCE", False, False),
    "no depthwise and not the first, with zero points": ("MIXED", False, False),
}


def quantized(file: Path, images: list[Any], preset: str, first: bool, depthwise: bool) -> Any:
    """The OpenVINO model with one choice; `images` are those from which the scales are found."""
    import openvino

    nncf = require_nncf()
    network = openvino.Core().read_model(file)
    reads_the_image, *left = left_in_float32(network)
    if depthwise:
        kind = {one.get_friendly_name(): one.get_type_name() for one in network.get_ordered_ops()}
        left = [name for name in left if kind[name] != "GroupConvolution"]
    return nncf.quantize(
        network,
        nncf.Dataset(images),
        preset=nncf.QuantizationPreset[preset],
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(names=left if first else [reads_the_image, *left], validate=False),
    )


def times(folder: Path, threads: int) -> list[str]:
    """Lines of a table: the base size at 512 x 512, batch 1, in turns."""
    import openvino

    torch.manual_seed(0)
    noise = torch.randn(1, 3, 512, 512)
    base = WRITERS["openvino"](optimize_for_inference(create_model("tmunet_b").eval()), noise, folder, None)
    chosen, with_depthwise = folder / "chosen.xml", folder / "depthwise.xml"
    for file, choice in ((chosen, CHOSEN), (with_depthwise, "all but the first, symmetric")):
        openvino.save_model(quantized(base, [noise.numpy()], *CHOICES[choice]), file, compress_to_fp16=False)
    runs = {
        "float32": load("openvino", base, threads, "float32"),
        "int8": load("openvino", chosen, threads, "float32"),
        "int8, depthwise ones too": load("openvino", with_depthwise, threads, "float32"),
        "bfloat16": load("openvino", base, threads, "bfloat16"),
        "int8, the rest in bfloat16": load("openvino", chosen, threads, "bfloat16"),
        "int8, depthwise ones too, the rest in bfloat16": load("openvino", with_depthwise, threads, "bfloat16"),
    }
    found = time_interleaved({name: partial(run, noise) for name, run in runs.items()}, rounds=15, warm_up=1)
    reference = next(iter(found.values()))
    return [
        f"| {name} | {1e3 * Quartiles.of(values).median:.1f} | {ratio(values, reference).median:.2f} |"
        for name, values in found.items()
    ]


def row(name: str, scores: list[float]) -> str:
    """A line of the table."""
    return f"| {name} | {fmean(scores):.3f} | {min(scores):.3f} |"


def main() -> None:
    """Measure, print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/int8.md"))
    given = parser.parse_args()
    prepare_process()
    import openvino

    trained = load_model(packaged_model())
    files = sorted((sample_folder() / "images").iterdir())
    pipeline = Pipeline(trained.config, eager_session(trained.network))
    inputs = [pipeline.preprocess(pipeline.load(file)) for file in files]
    images, seen = inputs[1::2], [x.numpy() for x in inputs[::2]]
    threads, lines = torch.get_num_threads(), []
    with tempfile.TemporaryDirectory() as temporary:
        file = WRITERS["openvino"](
            optimize_for_inference(trained.network), torch.zeros_like(images[0]), Path(temporary), None
        )
        runs = {"float32 with the hint bfloat16": load("openvino", file, threads, "bfloat16")}
        for name, choice in CHOICES.items():
            out = Path(temporary) / f"{len(runs)}.xml"
            openvino.save_model(quantized(file, seen, *choice), out, compress_to_fp16=False)
            runs[name] = load("openvino", out, threads, "float32")
        reference = load("openvino", file, threads, "float32")
        expected = [decide(reference(image))[0].numpy() == 1 for image in images]
        for name, run in runs.items():
            found = [decide(run(image))[0].numpy() == 1 for image in images]
            lines.append(row(name, [dice(a, b) for a, b in zip(expected, found, strict=True)]))
        (Path(temporary) / "base").mkdir()
        timed = "\n".join(times(Path(temporary) / "base", threads))
    table = "\n".join(lines)
    page = f"""# Convolutions in int8

`python benchmarks/int8.py`: Dice between the masks of nuclei-t in float32 and in each choice, OpenVINO,
{len(images)} images of the sample that were not among the {len(seen)} from which the scales were found.

| choice | mean | lowest |
|---|---|---|
{table}

Time of `tmunet_b` with fresh weights, 512 x 512, batch 1, {threads} threads of {processor()}; medians of 15 rounds in turns:

| | ms | times float32 |
|---|---|---|
{timed}

{", ".join(f"{name} {version}" for name, version in versions().items())}
"""
    print(page)
    write_text(given.out, page)


if __name__ == "__main__":
    main()
