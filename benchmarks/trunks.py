"""Trunks that were tried for TM-UNet 2: processor time of each, of the chosen ones in each engine, and short trainings.

    python benchmarks/trunks.py time [--rounds 7]            all candidates, in PyTorch
    python benchmarks/trunks.py engines [--rounds 9]         the named networks, in PyTorch and OpenVINO, float32, bfloat16, int8
    python benchmarks/trunks.py trial DATA NAME [--size 128] [--epochs 8] [--split SPLIT]
    python benchmarks/trunks.py page

Each writes or extends a CSV file in benchmarks/trunks/, and the page benchmarks/trunks.md from all of them. Times are of one
512 x 512 image after `optimize_for_inference`, in turns. Processor time of one thread, which other programs disturb less
than wall time; `engines` has wall time on two threads too. Trainings: recipe `strong`, but with AdamW at 1e-3, one epoch of
warm-up, batches of 8 and no average of weights; Dice of the validation images.
"""

import argparse
import csv
import dataclasses
import time
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from tmunet_lab.bench.macs import count_macs, count_parameters
from torch import Tensor, nn
from trunk_candidates import CANDIDATES, Candidate, Trunk

from tmunet.cli.process_setup import prepare_process
from tmunet.data.cached_dataset import CachedCases, cache_cases
from tmunet.data.data_config import AugmentConfig, Preprocess
from tmunet.data.dataset import open_dataset
from tmunet.data.preprocess import normalize, unit
from tmunet.data.transforms import augment, draw
from tmunet.files import write_csv, write_text
from tmunet.losses import loss_from_config
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.prediction.backends.formats import WRITERS, eager_session
from tmunet.prediction.backends.sessions import Session, load
from tmunet.prediction.int8 import left_in_float32, require_nncf
from tmunet.prediction.postprocess import decide
from tmunet.registry import create_model, list_models
from tmunet.training.module import class_dice
from tmunet.training.optimizer import learning_rate_factor
from tmunet.training.train_config import OptimizerConfig, read_recipe
from tmunet.versions import versions
from tmunet_lab.bench.environment import processor
from tmunet_lab.bench.timing import Quartiles, ratio, time_interleaved

HERE = Path(__file__).parent
REFERENCE = "ulite"
NAMED = (REFERENCE, "tmunet_t", "tmunet_s", "tmunet2_t", "tmunet2_s", "tmunet2_b")
OPTIMIZER = OptimizerConfig("adamw", 1e-3, "cosine", warmup_epochs=1, weight_decay=1e-4, clip_norm=1.0)
BATCH = 8


def create(name: str) -> nn.Module:
    """A candidate or a network of the registry, with fresh weights."""
    torch.manual_seed(0)
    return create_model(name) if name in list_models() else Candidate(CANDIDATES[name])


def used(network: nn.Module) -> nn.Module:
    """In eval mode, with running statistics that are no longer those of a fresh network."""
    network.train()
    with torch.no_grad():
        for _ in range(2):
            network(torch.rand(2, 3, 96, 96))
    return network.eval()


def row(name: str, seconds: list[float], reference: list[float]) -> dict[str, Any]:
    """Median time in ms, and its ratio to the reference, round by round."""
    return {
        "name": name,
        "ms": f"{1e3 * Quartiles.of(seconds).median:.1f}",
        "ratio": f"{ratio(seconds, reference).median:.3f}",
    }


def time_candidates(rounds: int) -> None:
    """Processor time of every candidate in PyTorch on one thread."""
    torch.set_num_threads(1)
    image, calls, size = torch.randn(1, 3, 512, 512), {}, {}
    for name in (REFERENCE, *CANDIDATES):
        network = create(name).eval()
        size[name] = {"parameters": count_parameters(network), "macs": count_macs(network)}
        calls[name] = partial(eager_session(optimize_for_inference(network)), image)
    times = time_interleaved(calls, rounds, warm_up=1, clock=time.process_time)
    rows = [{**row(name, values, times[REFERENCE]), **size[name]} for name, values in times.items()]
    save("time", rows)


def quantized(file: Path, images: list[Any], out: Path) -> None:
    """Write the OpenVINO model in int8, as `tmunet export` does."""
    import openvino

    nncf = require_nncf()
    network = openvino.Core().read_model(file)
    network = nncf.quantize(
        network,
        nncf.Dataset(images),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(names=left_in_float32(network), validate=False),
    )
    openvino.save_model(network, out, compress_to_fp16=False)


def sessions(name: str, image: Tensor, folder: Path, threads: int) -> dict[str, Session]:
    """A network in each engine of this processor; the files are written once."""
    import openvino

    network = optimize_for_inference(used(create(name)))
    file, small = folder / name / "model.xml", folder / name / "int8.xml"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        WRITERS["openvino"](network, image, file.parent, None)
    if not small.is_file():
        quantized(file, [image.numpy()], small)
    found = {
        "PyTorch": eager_session(network),
        "OpenVINO float32": load("openvino", file, threads, "float32"),
        "OpenVINO int8": load("openvino", small, threads, "float32"),
    }
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        found["OpenVINO bfloat16"] = load("openvino", file, threads, "bfloat16")
        found["OpenVINO int8, bfloat16"] = load("openvino", small, threads, "bfloat16")
    return found


def time_engines(rounds: int, folder: Path) -> None:
    """The named networks in each engine, processor time of one thread and wall time of two; and the error of each engine."""
    image, rows = torch.randn(1, 3, 512, 512, generator=torch.Generator().manual_seed(0)), []
    for threads, clock in ((1, time.process_time), (2, time.perf_counter)):
        torch.set_num_threads(threads)
        runs = {name: sessions(name, image, folder, threads) for name in NAMED}
        calls = {(name, engine): partial(run, image) for name in runs for engine, run in runs[name].items()}
        errors = {}
        for name in runs:
            expected = runs[name]["PyTorch"](image)
            for engine, run in runs[name].items():
                errors[name, engine] = float((run(image) - expected).abs().max() / expected.abs().max())
        times = time_interleaved(
            {f"{name}|{engine}": call for (name, engine), call in calls.items()}, rounds, 1, clock=clock
        )
        for name, engine in calls:
            seconds = times[f"{name}|{engine}"]
            one = row(name, seconds, times[f"{REFERENCE}|{engine}"])
            shown = {"engine": engine, "threads": threads, "least_ms": f"{1e3 * min(seconds):.1f}"}
            rows.append({**one, **shown, "error": f"{errors[name, engine]:.1e}"})
    save("engines", rows)


def trial(data: Path, split: Path | None, name: str, size: int, epochs: int) -> None:
    """Train for some epochs and add the validation Dice to the file."""
    torch.set_num_threads(1)
    dataset = open_dataset(data, split, 0)
    cached: list[CachedCases] = []
    for side in ("train", "val"):
        cases, _, faults = cache_cases(dataset.subset(side), dataset.info, Preprocess(size=size))
        assert not faults, faults
        cached.append(cases)
    train, val = cached
    network = create(name)
    loss = loss_from_config(network, 2.0, 1.0)
    config = AugmentConfig(**read_recipe("strong")["augment"])
    optimizer = torch.optim.AdamW(network.parameters(), lr=OPTIMIZER.learning_rate, weight_decay=OPTIMIZER.weight_decay)
    factor = learning_rate_factor(OPTIMIZER, -(-len(train) // BATCH), epochs)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for epoch in range(epochs):
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(epoch)).tolist()
        network.train()
        for start in range(0, len(train), BATCH):
            batch = train.__getitems__(order[start : start + BATCH])
            draws = [draw(config, 3, 0, epoch, case) for case in batch["case"].tolist()]
            images, masks = augment(unit(batch["image"]), batch["mask"], draws)
            optimizer.zero_grad()
            loss(network(normalize(images, "imagenet")), masks).mean().backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        print(f"{name}: epoch {epoch + 1}, validation Dice {validate(network.eval(), val):.4f}", flush=True)
    score = {"name": name, "size": size, "epochs": epochs, "val_dice": f"{validate(network, val):.4f}"}
    save("trials", [*read("trials"), {**score, "cpu_seconds": f"{time.process_time():.0f}"}])


@torch.no_grad()
def validate(network: nn.Module, cases: CachedCases) -> float:
    """Mean Dice at the size of training."""
    scores = []
    for start in range(0, len(cases), BATCH):
        batch = cases.__getitems__(list(range(start, min(start + BATCH, len(cases)))))
        found = decide(network(normalize(unit(batch["image"]), "imagenet"))).numpy()
        scores += [class_dice(a, b, 2)[1] for a, b in zip(batch["mask"].numpy(), found, strict=True)]
    return fmean(scores)


def read(what: str) -> list[dict[str, Any]]:
    """The rows of a file, or none."""
    file = HERE / "trunks" / f"{what}.csv"
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def save(what: str, rows: list[dict[str, Any]]) -> None:
    """Write the rows of a file."""
    write_csv(HERE / "trunks" / f"{what}.csv", list(rows[0]), rows)


def table(columns: dict[str, str], rows: list[dict[str, Any]]) -> str:
    """Some columns of a file, by title, as a table."""
    if not rows:
        return "Not measured.\n"
    lines = [list(columns), ["---"] * len(columns), *([one[key] for key in columns.values()] for one in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_page() -> None:
    """The page, from the files."""
    candidates = [
        {**one, "m": f"{int(one['parameters']) / 1e6:.2f}", "g": f"{int(one['macs']) / 1e9:.2f}"}
        for one in read("time")
    ]
    defaults = dataclasses.asdict(Trunk())
    parts = {
        name: ", ".join(f"{key}={value}" for key, value in dataclasses.asdict(spec).items() if value != defaults[key])
        for name, spec in CANDIDATES.items()
    }
    settings = "\n".join(f"- {name}: `{text or 'the defaults of Trunk'}`" for name, text in parts.items())
    plain = {"name": "name", "parameters, M": "m", "GMAC": "g", "ms": "ms", "of U-Lite's": "ratio"}
    engines = {"name": "name", "engine": "engine", "threads": "threads", "ms": "ms", "least ms": "least_ms"}
    trials = {
        "name": "name",
        "pixels": "size",
        "epochs": "epochs",
        "validation Dice": "val_dice",
        "processor s": "cpu_seconds",
    }
    write_text(
        HERE / "trunks.md",
        f"""# Trunks for TM-UNet 2

Candidates (`benchmarks/trunk_candidates.py`), all with the MSTM block of the paper, whose place is named. Which sizes
were made of them: `SIZES` in `src/tmunet/nn/tmunet2.py`. Processor: {processor()}.

## Processor time of a 512 x 512 image

`python benchmarks/trunks.py time`: PyTorch, one thread, process time, medians in turns, while other programs ran: the
ratios count.

{table(plain, candidates)}
## The named networks in each engine

`python benchmarks/trunks.py engines`: 1 thread, process time; 2 threads, wall time, which other programs make longer.
Error: largest difference from PyTorch's logits, relative to the largest logit. No bfloat16 where the processor has
none. U-Lite's error in OpenVINO is known: it moves GELU before max-pooling.

{table({**engines, "of U-Lite's": "ratio", "error": "error"}, read("engines"))}
## Short trainings

`python benchmarks/trunks.py trial DATA NAME --size PIXELS --epochs EPOCHS --split SPLIT` on CVC-ClinicDB with the split of
`results/long/runs/CVC-ClinicDB-random-u-lite-s0/split.json`, one seed. Differences of less than 0.03 say nothing.

{table(trials, read("trials"))}
## What the candidates are

{settings}

{", ".join(f"{name} {version}" for name, version in versions().items())}
""",
    )


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("time").add_argument("--rounds", type=int, default=7)
    engines = verbs.add_parser("engines")
    engines.add_argument("--rounds", type=int, default=9)
    engines.add_argument("--folder", type=Path, default=Path("runs/trunks"), help="for the exported networks")
    one = verbs.add_parser("trial")
    one.add_argument("data", type=Path)
    one.add_argument("name")
    one.add_argument("--split", type=Path)
    one.add_argument("--size", type=int, default=128)
    one.add_argument("--epochs", type=int, default=8)
    verbs.add_parser("page")
    given = parser.parse_args()
    prepare_process()
    if given.verb == "time":
        time_candidates(given.rounds)
    elif given.verb == "engines":
        time_engines(given.rounds, given.folder)
    elif given.verb == "trial":
        trial(given.data, given.split, given.name, given.size, given.epochs)
    write_page()


if __name__ == "__main__":
    main()
