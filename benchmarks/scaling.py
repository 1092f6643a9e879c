"""How time and memory of TM-UNet grow with the image: 512 x 512 and 1024 x 1024, in turns, inference on the CPU.

    python benchmarks/scaling.py [--rounds 15] [--out benchmarks/scaling.md]

Time: the two sizes take turns in one process, so that ratios hold on a noisy machine. Memory: the highest resident set of a fresh
process that loads the network and predicts one image.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tmunet.cli.process import prepare_process
from tmunet.files import write_text
from tmunet.registry import list_models
from tmunet.versions import versions

SIZES = (512, 1024)
MEMORY = """
import sys, torch
from tmunet.cli.process import prepare_process
from tmunet.registry import create_model
prepare_process()
network = create_model(sys.argv[1]).eval()
with torch.inference_mode():
    network(torch.zeros(1, 3, int(sys.argv[2]), int(sys.argv[2])))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_memory(name: str, size: int) -> float:
    """Highest resident set of a fresh process, MB."""
    done = subprocess.run([sys.executable, "-c", MEMORY, name, str(size)], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def times(name: str, rounds: int) -> dict[int, list[float]]:
    """Seconds of each call, the sizes in turns after two warm-ups."""
    import torch

    from tmunet.registry import create_model

    network = create_model(name).eval()
    images = {size: torch.zeros(1, 3, size, size) for size in SIZES}
    found: dict[int, list[float]] = {size: [] for size in SIZES}
    with torch.inference_mode():
        for turn in range(rounds + 2):
            for size, image in images.items():
                start = time.perf_counter()
                network(image)
                if turn >= 2:
                    found[size].append(time.perf_counter() - start)
    return found


def row(name: str, rounds: int) -> str:
    """One network: median milliseconds, their ratio, MAC, peak memory, its ratio."""
    from tmunet.bench.cost import count_macs, count_parameters
    from tmunet.registry import create_model

    network = create_model(name)
    found = times(name, rounds)
    small, large = (statistics.median(found[size]) * 1e3 for size in SIZES)
    ratio = statistics.median(b / a for a, b in zip(*(found[size] for size in SIZES), strict=True))
    memory = [peak_memory(name, size) for size in SIZES]
    macs = [count_macs(network, (size, size)) / 1e9 for size in SIZES]
    return (
        f"| `{name}` | {count_parameters(network):,} | {macs[0]:.3f} | {macs[1] / macs[0]:.2f} "
        f"| {small:.0f} (least {min(found[512]) * 1e3:.0f}) | {large:.0f} (least {min(found[1024]) * 1e3:.0f}) | {ratio:.2f} "
        f"| {memory[0]:.0f} | {memory[1]:.0f} | {memory[1] / memory[0]:.2f} |"
    )


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/scaling.md"))
    options = parser.parse_args()
    prepare_process()
    import torch

    lines = [
        "# How time and memory grow with the image",
        "",
        f"`python benchmarks/scaling.py --rounds {options.rounds}`: batch 1, float32, eager, inference, "
        f"{torch.get_num_threads()} threads; "
        "medians of calls in turns; ratio = median over rounds; memory = peak of a fresh process.",
        "",
        "| network | parameters | GMAC at 512 | ratio | ms at 512 | ms at 1024 | ratio | MB at 512 | MB at 1024 | ratio |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(row(name, options.rounds) for name in list_models()),
        "",
        f"{platform.processor() or platform.machine()}, {', '.join(f'{k} {v}' for k, v in versions().items())}",
        "",
    ]
    write_text(options.out, "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
