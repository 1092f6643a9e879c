"""`tmunet bench`: benchmark networks: parameters, MACs, memory, latency."""

import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tmunet.cli.parser import parse
from tmunet.errors import MissingExtraError, UsageError
from tmunet.memory import keep_memory
from tmunet.prediction.backends.names import Precision
from tmunet.text import pluralize

if TYPE_CHECKING:
    from tmunet_lab.bench.model_spec import ModelSpec
    from tmunet_lab.bench.workload import Conditions

SCALING_NETWORKS = ("tmunet_b", "tmunet_released_b", "unet", "tinyunet")
SCALING_SIZES = "256,384,512,768,1024,1536"
REFERENCE = "tmunet_b"


@dataclass(frozen=True)
class BenchConfig:
    """Benchmark networks side by side: parameters, MACs, memory, latency. Writes bench.csv, .json, .svg and .pdf."""

    networks: list[str] = field(default_factory=list)
    """Name, arguments and backend (compile, cudagraph, onnx, openvino), as tmunet_b:refine=full@onnx; by default all."""
    sizes: str | None = None
    """Sides of square images in pixels, such as 256,512; by default 512, or 256 to 1536 with --growth."""
    batches: str = "1,4,16"
    """Batch sizes."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where to compute."""
    precision: Precision = "float32"
    """Precision of the networks; tf32 on cuda only."""
    threads: int | None = None
    """CPU threads; by default one a core, as torch takes."""
    rounds: int = 7
    """Timed calls of each network, interleaved with the others."""
    warm_up: int = 1
    """Calls in each turn before the timed one."""
    seconds: float = 60.0
    """Time budget of one network at one size and batch; a slower network has fewer rounds."""
    memory: bool = True
    """Measure the peak memory of each network, in a subprocess; without it there is no memory limit."""
    memory_limit: float = 8.0
    """Memory limit on the CPU, in GB; a network that needs more is not run."""
    reference: str | None = None
    """Network that times are divided by; by default tmunet_b, or the first if that is not measured."""
    training: bool = False
    """Time a full training step (forward, loss, backward, Adam) instead of a prediction."""
    checkpointing: bool = False
    """With --training: activation checkpointing, which computes activations again in the backward pass."""
    growth: bool = False
    """Measure the scaling of latency and memory with the image size, at batch 1; writes growth.csv, .json, .svg and .pdf."""
    paper: bool = False
    """Print the FLOPs columns of the paper's tables beside our MACs instead; nothing is timed or written."""
    out: str = "bench"
    """Folder for the results."""

    def __post_init__(self) -> None:
        if self.training and (self.growth or self.paper):
            raise UsageError(
                "Expected --training without --growth and --paper, which measure no training.", code="flags"
            )
        if self.growth and self.paper:
            raise UsageError("Expected --growth or --paper, but got both.", code="flags")
        if self.growth and not self.memory:
            raise UsageError(
                "Expected --memory to be true with --growth, which stops at a limit of memory.", code="flags"
            )
        if self.rounds < 1 or self.warm_up < 0:
            raise UsageError(
                f"Expected at least 1 of `rounds` and 0 of `warm_up`, but got {self.rounds}, {self.warm_up}.",
                code="value",
            )


def run(arguments: Sequence[str]) -> int:
    """Compare FLOPs with the paper, or measure scaling, or measure cost and latency; print the table and write the files."""
    config = parse(
        BenchConfig,
        arguments,
        "bench",
        words={"networks": "such as tmunet_b, tmunet_b:mstm.layers=2 or tmunet_b@onnx; by default all"},
    )
    keep_memory()  # threads wait as PyTorch has them wait: nothing else should run beside a benchmark
    if config.paper:
        from tmunet_lab.bench.paper_flops import compare, paper_table

        print(paper_table(compare(_progress)))
        return 0
    command = shlex.join(["tmunet", "bench", *arguments])
    return _scaling(config, command) if config.growth else _measure(config, command)


def _measure(config: BenchConfig, command: str) -> int:
    from tmunet.registry import list_models
    from tmunet_lab.bench.bench_files import write_measurements
    from tmunet_lab.bench.bench_table import measurement_table
    from tmunet_lab.bench.environment import run_environment
    from tmunet_lab.bench.measure import MeasurePlan, measure

    specs, left_out = _specs(config.networks, list_models())
    plan = MeasurePlan(
        sizes=_numbers("sizes", config.sizes or "512"),
        batches=_numbers("batches", config.batches),
        rounds=config.rounds,
        warm_up=config.warm_up,
        reference=_reference(config.reference, [spec.label for spec in specs]),
    )
    about = run_environment(_conditions(config), command)  # before: the load is that of other programs
    with tempfile.TemporaryDirectory() as exports:
        conditions = replace(_conditions(config), exports=exports)
        if config.memory:
            rows = measure(specs, plan, conditions, progress=_progress)
        else:
            rows = measure(specs, plan, conditions, probe=None, progress=_progress)
    print(measurement_table(rows, plan.reference))
    about |= {"rounds": plan.rounds, "warm_up": plan.warm_up, "reference": plan.reference, "left_out": left_out}
    _print_files(about, write_measurements(Path(config.out), rows, about))
    return 0


def _scaling(config: BenchConfig, command: str) -> int:
    from tmunet_lab.bench.bench_files import write_scaling
    from tmunet_lab.bench.bench_table import scaling_table
    from tmunet_lab.bench.environment import run_environment
    from tmunet_lab.bench.scaling import measure_scaling

    specs, left_out = _specs(config.networks, SCALING_NETWORKS)
    sizes = sorted(_numbers("sizes", config.sizes or SCALING_SIZES))
    conditions = _conditions(config)
    about = run_environment(conditions, command)
    points = measure_scaling(specs, sizes, config.rounds, config.warm_up, conditions, progress=_progress)
    print(scaling_table(points))
    about |= {"rounds": config.rounds, "warm_up": config.warm_up, "left_out": left_out}
    _print_files(about, write_scaling(Path(config.out), points, about))
    return 0


def _specs(named: Sequence[str], default: Sequence[str]) -> "tuple[list[ModelSpec], list[str]]":
    """Parse the networks and create each once; of the default ones, those whose extra is missing are left out with a message."""
    from tmunet.prediction.backends.sessions import require_backend
    from tmunet_lab.bench.model_spec import parse_model_specs

    found, left_out = [], []
    for spec in parse_model_specs(named or default):
        try:
            spec.create()
            require_backend(spec.backend)
        except MissingExtraError as error:
            if named:
                raise
            left_out.append(f"{spec.label}: {error}")
            print(f"tmunet bench: left out {left_out[-1]}", file=sys.stderr)
        else:
            found.append(spec)
    return found, left_out


def _conditions(config: BenchConfig) -> "Conditions":
    import torch

    from tmunet_lab.bench.workload import Conditions

    if config.device == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "Expected `device` to be one that is there, but torch finds no cuda; choose cpu.", code="device"
        )
    return Conditions(
        device=config.device,
        precision=config.precision,
        threads=config.threads if config.threads is not None else torch.get_num_threads(),
        memory_limit=round(config.memory_limit * 1e9),
        seconds=config.seconds,
        training=config.training,
        checkpointing=config.checkpointing,
    )


def _reference(named: str | None, labels: Sequence[str]) -> str:
    if named is None:
        return REFERENCE if REFERENCE in labels else labels[0]
    if named not in labels:
        raise UsageError(
            f"Expected `reference` to be one of the networks, but got {named!r}; add it: {', '.join(labels)}.",
            code="value",
        )
    return named


def _numbers(name: str, typed: str) -> list[int]:
    """Positive numbers with commas between them."""
    words = [word.strip() for word in typed.split(",")]
    if not all(word.isdecimal() and int(word) for word in words) or len(set(words)) < len(words):
        raise UsageError(
            f"Expected `{name}` to be different numbers above 0, with commas, but got {typed!r}.", code="value"
        )
    return [int(word) for word in words]


def _print_files(about: Mapping[str, Any], files: Sequence[Path]) -> None:
    from tmunet_lab.bench.environment import machine

    print(
        f"\n{machine(about)}; medians of {pluralize(about['rounds'], 'round')} interleaved, {about['warm_up']} warm-up in each; "
        f"limits {about['memory_limit_bytes'] / 1e9:g} GB and {about['seconds_limit']:g} s.\n"
        f"Written: {', '.join(str(path) for path in files)}"
    )


def _progress(message: str) -> None:
    print(f"tmunet bench: {message}", file=sys.stderr)
