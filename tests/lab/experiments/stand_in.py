"""Verbs that train and score nothing but leave the files of a run; in this process, or as `STAND-IN -m MODULE VERB ...`.

In their folder: `fail` names what fails, `slow` what sleeps until stopped, `meet` how many calls must begin before one goes on.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from tmunet.cli.evaluate import EvaluateConfig
from tmunet.cli.parser import parse
from tmunet.config import to_yaml
from tmunet.data.dataset import open_dataset
from tmunet.data.split.splits import write_split
from tmunet.errors import InputError
from tmunet.files import sha256, write_json, write_text
from tmunet.training.run_folder import RunFolder
from tmunet.training.train_config import TrainConfig, read_recipe
from tmunet_lab.experiments.child import Verb, main


def note(folder: Path, words: str) -> None:
    with (folder / "calls.txt").open("a") as file:
        file.write(f"{words}\n")
    print(f"stand-in: {words}, {os.environ.get('OMP_NUM_THREADS')} threads", flush=True)
    fail = folder / "fail"
    if fail.is_file() and fail.read_text() in words:
        raise InputError("this was made to fail")
    meet = folder / "meet"
    while meet.is_file() and len((folder / "calls.txt").read_text().splitlines()) < int(meet.read_text()):
        time.sleep(0.05)
    slow = folder / "slow"
    if slow.is_file() and slow.read_text() in words:
        time.sleep(60)


def train(folder: Path, arguments: Sequence[str]) -> int:
    if arguments[0] == "--resume":
        run = RunFolder(Path(arguments[1]))
    else:
        config = parse(TrainConfig, arguments, "train", defaults={"recipe": "paper", **read_recipe("paper")})
        run = RunFolder(config.run_folder)
        assert not run.path.exists() or not list(run.path.iterdir())
        dataset = open_dataset(Path(config.data), Path(config.split or ""))
        write_split(run.split, dataset.split)
        write_json(run.provenance, {"split_sha256": dataset.split.sha256})
        write_text(run.config, to_yaml(config))
        write_text(run.metrics, "epoch\n1\n")
        write_text(run.last, "")
    note(folder, f"{'resume' if arguments[0] == '--resume' else 'train'} {run.path.name}")
    write_text(run.model / "model.safetensors", run.path.name)
    write_text(run.model / "config.json", "{}")
    return 0


def evaluate(folder: Path, arguments: Sequence[str]) -> int:
    config = parse(EvaluateConfig, arguments, "evaluate")
    run, out = RunFolder(Path(config.model)), Path(config.out or "")
    note(folder, f"{config.protocol} {run.path.name}")
    facts = {
        "weights_sha256": sha256(run.model / "model.safetensors"),
        "split_sha256": run.read_provenance()["split_sha256"],
        "subset": config.subset,
    }
    classes = {"foreground": {"n": 2, "n_both_empty": 0, "metrics": {"dice": {"mean": 0.5}}}}
    write_json(out / "summary.json", {"protocol": config.protocol, "facts": facts, "classes": classes, "per_image": []})
    write_text(out / "per_image.csv", "")
    write_text(out / "report.html", "")
    return 0


def verbs(folder: Path) -> Mapping[str, Verb]:
    return {"train": partial(train, folder), "evaluate": partial(evaluate, folder)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[3:], verbs(Path(sys.argv[0]).parent)))
