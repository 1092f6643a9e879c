"""Simulate `tmunet loop`: test Dice by the number of corrected images, least certain first against random order.

    python benchmarks/loop.py data/dsb2018 --work loop-runs --out benchmarks/loop.md

The data set's own masks are the corrections. From each image a square is cut out of its middle. Images of one scene stay
together: some scenes are the test images, the same for all runs; of the others each seed takes a few to train the start model
from fresh weights, and the next ones are the pool that is to be corrected. Both orders of a seed have the same start and pool.
The same command goes on where a former one stopped; `--seeds` of several processes may share `--work`. `--out` writes the page
of all runs.
"""

import argparse
import json
import random
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from learning_curve import cut

from tmunet.active_learning.loop_config import LoopConfig
from tmunet.active_learning.run_loop import run_loop
from tmunet.api import evaluate, train
from tmunet.data.dataset import open_dataset
from tmunet.data.split.scan import scan_cases
from tmunet.files import write_json, write_text
from tmunet.metrics import mean_over_classes
from tmunet_lab.plots import save, style

ORDERS = {"uncertain": "least certain first", "random": "random order"}


@dataclass(frozen=True)
class Plan:
    """Size of the simulation."""

    images: int
    side: int
    size: int
    start_images: int
    start_epochs: int
    pool: int
    test: int
    images_per_round: int
    rounds: int
    epochs: int


def divide(clusters: list[list[str]], plan: Plan, seed: int) -> dict[str, list[str]]:
    """Names of the images to test, to train the start model, and of the pool; no scene is in two of them."""
    order = list(clusters)
    random.Random(0).shuffle(order)
    sides: dict[str, list[str]] = {"test": [], "start": [], "pool": []}
    while len(sides["test"]) < plan.test:
        sides["test"] += order.pop()
    random.Random(seed).shuffle(order)
    for side, count in (("start", plan.start_images), ("pool", plan.pool)):
        while len(sides[side]) < count and order:
            sides[side] += order.pop()
    return sides


def test_dice(model: Path, data: Path, test: list[str], split: Path) -> float:
    """Mean Dice of the test images, protocol strict."""
    if not split.exists():
        write_json(split, {"train": [], "val": [], "test": test})
    dice = mean_over_classes(evaluate(model, data, split=split, device="cpu").summaries, "dice")
    assert dice is not None
    return dice


def start_model(data: Path, names: list[str], plan: Plan, seed: int, out: Path) -> Path:
    """Train the start model once a seed, from fresh weights, without validation."""
    if not (out / "model" / "config.json").exists():
        shutil.rmtree(out, ignore_errors=True)
        split = out.parent / f"{out.name}.json"
        write_json(split, {"train": names, "val": [], "test": []})
        train(
            data, "nuclei", split=split, out=out, seed=seed, device="cpu", epochs=plan.start_epochs, size=plan.size,
            monitor="val_loss", ema_decay=None,
        )  # fmt: skip
    return out


def simulate(data: Path, sides: dict[str, list[str]], plan: Plan, seed: int, order: str, work: Path) -> None:
    """Run one loop to its last round, and write the test Dice after each round into `work/ORDER-SEED.json`."""
    results = work / f"{order}-{seed}.json"
    found = json.loads(results.read_text()) if results.exists() else {"plan": asdict(plan), "rounds": []}
    if found["plan"] != asdict(plan):
        raise SystemExit(f"{results}: is of another plan; choose another --work.")
    start = start_model(data, sides["start"], plan, seed, work / f"start-{seed}")
    folder = work / f"{order}-{seed}"
    config = LoopConfig(
        images=[str(data / "images" / f"{name}.png") for name in sides["pool"]],
        model=str(start),
        out=str(folder),
        images_per_round=plan.images_per_round,
        epochs=plan.epochs,
        seed=seed,
        device="cpu",
    )
    shuffled = random.Random(f"{order} {seed}").sample(sorted(sides["pool"]), len(sides["pool"]))
    while len(found["rounds"]) <= plan.rounds:
        state = run_loop(config)
        done = len(state.decisions)
        if done == len(found["rounds"]):
            dice = test_dice(state.model, data, sides["test"], work / "test.json")
            last = state.decisions[-1] if state.decisions else {}
            found["rounds"].append({"corrected": last.get("corrected", 0), "dice": dice, "kept": last.get("kept")})
            write_json(results, found)
            print(seed, order, found["rounds"][-1], flush=True)
        least_certain = [path.name for path in sorted((state.round.to_correct / "masks").iterdir())]
        in_random_order = [f"{name}.png" for name in shuffled[done * plan.images_per_round :][: plan.images_per_round]]
        for name in least_certain if order == "uncertain" else in_random_order:
            shutil.copyfile(data / "masks" / name, folder / "corrected" / name)


def read_runs(work: Path) -> dict[str, dict[int, list[dict[str, Any]]]]:
    """Rounds by order and seed: of the seeds with both orders, the rounds that all runs have finished."""
    found = {
        order: {
            int(path.stem.rpartition("-")[2]): json.loads(path.read_text())["rounds"]
            for path in sorted(work.glob(f"{order}-*.json"))
        }
        for order in ORDERS
    }
    seeds = sorted(set.intersection(*(set(of_order) for of_order in found.values())))
    rounds = min(len(of_order[seed]) for of_order in found.values() for seed in seeds)
    return {order: {seed: of_order[seed][:rounds] for seed in seeds} for order, of_order in found.items()}


def write_page(work: Path, plan: Plan, name: str, out: Path) -> None:
    """Write the table, what it says, and the figure."""
    runs = read_runs(work)
    seeds = sorted(runs["random"])
    counts = [round_["corrected"] for round_ in runs["random"][seeds[0]]]
    dice = {order: [[runs[order][seed][k]["dice"] for seed in seeds] for k in range(len(counts))] for order in ORDERS}

    def cell(values: list[float]) -> str:
        return f"{fmean(values):.3f} ({', '.join(f'{value:.3f}' for value in values)})"

    gains = [
        [a - b for a, b in zip(*pair, strict=True)] for pair in zip(dice["uncertain"], dice["random"], strict=True)
    ]
    lines = [
        "# Least certain first, or random order?\n",
        f"Written by `python benchmarks/loop.py {name} --work loop-runs --out benchmarks/loop.md`: what `tmunet loop` does, with "
        f"the masks of the data set as corrections. The first {plan.images} images by name, squares of {plan.side} pixels; a "
        f"`tmunet_t` at {plan.size} x {plan.size} pixels, first trained from fresh weights on {plan.start_images} images for "
        f"{plan.start_epochs} epochs; a pool of {plan.pool} images; {plan.images_per_round} corrected in a round, a quarter of "
        f"them to validate; {plan.epochs} epochs of the recipe `finetune` a round; {plan.test} test images of other scenes. "
        f"Seeds {', '.join(map(str, seeds))}: of start model, pool and trainings. Mean test Dice, and that of each seed in "
        "parentheses.\n",
        f"| corrected images | {' | '.join(ORDERS.values())} | difference |",
        "|---|---|---|---|",
        *(
            f"| {count} | {cell(dice['uncertain'][k])} | {cell(dice['random'][k])} | {fmean(gains[k]):+.3f} "
            f"({', '.join(f'{gain:+.3f}' for gain in gains[k])}) |"
            for k, count in enumerate(counts)
        ),
        "",
        f"![Test Dice by the number of corrected images]({out.stem}.svg)\n",
    ]
    kept = {order: [row["kept"] for rounds in runs[order].values() for row in rounds[1:]] for order in ORDERS}
    for order, title in ORDERS.items():
        lines.append(f"- {title}: the new model was kept in {kept[order].count('new')} of {len(kept[order])} rounds.")
    if len(counts) <= plan.rounds:
        lines.append(f"- Not finished: {len(counts) - 1} of {plan.rounds} rounds of all runs; the command goes on.")
    ahead = sum(gain > 0 for of_count in gains[1:] for gain in of_count)
    lines.append(
        f"- Least certain first was ahead in {ahead} of {sum(map(len, gains[1:]))} pairs of runs after the same number of "
        f"corrected images; the pairs of one seed are not independent, and {len(seeds)} seeds are few."
    )
    write_text(out, "\n".join(lines) + "\n")
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5, 3.2))
        axes = figure.subplots()
        for order, title in ORDERS.items():
            (line,) = axes.plot(counts, [fmean(values) for values in dice[order]], marker="o", label=title)
            for seed in range(len(seeds)):
                axes.plot(
                    counts, [values[seed] for values in dice[order]], color=line.get_color(), alpha=0.3, linewidth=0.8
                )
        axes.set_xlabel("corrected images")
        axes.set_ylabel("test Dice")
        axes.legend()
        save(figure, out.with_suffix(""))


def main() -> None:
    """Simulate, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("loop-runs"), help="folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, help="page to write, and figure beside it")
    for field, value in asdict(Plan(200, 128, 64, 5, 40, 80, 48, 8, 4, 8)).items():
        parser.add_argument(f"--{field.replace('_', '-')}", type=int, default=value)
    given = parser.parse_args()
    plan = Plan(**{field: getattr(given, field) for field in Plan.__dataclass_fields__})
    data = given.work / "squares"
    if not (data / "scenes.json").exists():
        cut(given.data, data, plan.side, plan.images)
        squares = open_dataset(data, unsplit="test")
        write_json(data / "scenes.json", scan_cases(squares.cases, squares.info, str(data)).clusters)
    clusters = json.loads((data / "scenes.json").read_text())
    for seed in given.seeds:
        for order in ORDERS:
            simulate(data, divide(clusters, plan, seed), plan, seed, order, given.work)
    if given.out is not None:
        write_page(given.work, plan, given.data.name, given.out)


if __name__ == "__main__":
    main()
