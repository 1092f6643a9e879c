"""Which convolutions of nuclei-t int8 takes, and with which scales: the masks of each choice beside those of float32.

    python benchmarks/int8.py [--out benchmarks/int8.md]

Scales are found on every other image of the sample, masks compared on the rest. `tmunet.export.int8` follows from the page.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from tmunet.cli.demo import sample_folder
from tmunet.cli.process import prepare_process
from tmunet.export.engines import load
from tmunet.export.formats import WRITERS
from tmunet.export.int8 import Calibration, left_in_float32, require_nncf
from tmunet.files import write_text
from tmunet.infer.predictor import packaged_model
from tmunet.logits import decide
from tmunet.metrics.overlap import confusion, dice
from tmunet.model import load_model
from tmunet.nn.folding import folded
from tmunet.versions import versions

CHOICES = {  # preset, whether the convolution that reads the image is among them
    "all convolutions, symmetric": ("PERFORMANCE", True),
    "all convolutions, with zero points": ("MIXED", True),
    "all but the first, symmetric (chosen)": ("PERFORMANCE", False),
    "all but the first, with zero points": ("MIXED", False),
}


def quantised(file: Path, calibration: Calibration, preset: str, first: bool) -> Any:
    """The OpenVINO model with one choice."""
    import openvino

    nncf = require_nncf()
    network = openvino.Core().read_model(file)
    left = left_in_float32(network)
    images = nncf.Dataset(list(calibration.images), lambda image: calibration.see(image).numpy())
    return nncf.quantize(
        network,
        images,
        preset=nncf.QuantizationPreset[preset],
        subset_size=len(calibration.images),
        ignored_scope=nncf.IgnoredScope(names=left[1:] if first else left, validate=False),
    )


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
    calibration, others = Calibration(files[::2], trained.config.preprocess), files[1::2]
    images = [calibration.see(file) for file in others]
    threads, lines = torch.get_num_threads(), []
    with tempfile.TemporaryDirectory() as temporary:
        file = WRITERS["openvino"](folded(trained.network), torch.zeros_like(images[0]), Path(temporary), None)
        runs = {"float32 with the hint bfloat16": load("openvino", file, threads, "bfloat16")}
        for name, (preset, first) in CHOICES.items():
            out = Path(temporary) / f"{len(runs)}.xml"
            openvino.save_model(quantised(file, calibration, preset, first), out, compress_to_fp16=False)
            runs[name] = load("openvino", out, threads, "float32")
        reference = load("openvino", file, threads, "float32")
        expected = [decide(reference(image))[0].numpy() == 1 for image in images]
        for name, run in runs.items():
            found = [decide(run(image))[0].numpy() == 1 for image in images]
            lines.append(row(name, [dice(confusion(a, b)) for a, b in zip(expected, found, strict=True)]))
    table = "\n".join(lines)
    page = f"""# Convolutions in int8

`python benchmarks/int8.py`: Dice between the masks of nuclei-t in float32 and in each choice, OpenVINO,
{len(others)} images of the sample that were not among the {len(calibration.images)} from which the scales were found.

| choice | mean | lowest |
|---|---|---|
{table}

{", ".join(f"{name} {version}" for name, version in versions().items())}
"""
    print(page)
    write_text(given.out, page)


if __name__ == "__main__":
    main()
