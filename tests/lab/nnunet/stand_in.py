"""A stand-in for nnU-Net: a real virtual environment whose programs note how they were called and leave the files behind
that nnU-Net leaves. As a prediction each image gets the reference of the one before it.
"""

import json
import os
import shutil
import sys
import venv
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

PROGRAMS = ("nnUNetv2_plan_and_preprocess", "nnUNetv2_train", "nnUNetv2_predict")


def make_environment(folder: Path) -> Path:
    """A virtual environment with the programs and the name and version of nnU-Net's package."""
    venv.create(folder, with_pip=False, symlinks=True)
    code = Path(__file__).read_text("utf-8")
    for program in PROGRAMS:
        path = folder / "bin" / program
        path.write_text(f"#!{folder / 'bin' / 'python'}\n{code}", "utf-8")
        path.chmod(0o755)
    (packages,) = folder.glob("lib/python3*/site-packages")
    (packages / "nnunetv2-2.8.1.dist-info").mkdir()
    (packages / "nnunetv2-2.8.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: nnunetv2\nVersion: 2.8.1\n"
    )
    return folder


def calls(environment: Path) -> list[dict[str, Any]]:
    """The calls so far: program, arguments, and environment variables."""
    notes = environment / "calls.jsonl"
    return [json.loads(line) for line in notes.read_text("utf-8").splitlines()] if notes.exists() else []


def place(name: str) -> Path:
    return Path(os.environ[f"nnUNet_{name}"])


def plan(typed: Namespace) -> None:
    raw, preprocessed = place("raw"), place("preprocessed")
    (dataset,) = raw.glob(f"Dataset{typed.d:03d}_*")
    (preprocessed / dataset.name).mkdir(parents=True, exist_ok=True)
    (preprocessed / dataset.name / f"{typed.overwrite_plans_name}.json").write_text("{}")


def train(typed: Namespace) -> None:
    (dataset,) = place("preprocessed").glob("Dataset001_*")
    (fold,) = json.loads((dataset / "splits_final.json").read_text())
    print(f"This split has {len(fold['train'])} training and {len(fold['val'])} validation cases.")
    kind = f"{typed.tr}__{typed.p}__{typed.configuration}"
    result = place("results") / dataset.name / kind / f"fold_{typed.fold}"
    result.mkdir(parents=True, exist_ok=True)
    (result / "checkpoint_best.pth").write_bytes(b"best")
    fail("in the middle")
    (result / "checkpoint_final.pth").write_bytes(b"final")
    fail("before validation")
    (result / "validation").mkdir(exist_ok=True)
    (result / "validation" / "summary.json").write_text("{}")


def predict(typed: Namespace) -> None:
    typed.o.mkdir(exist_ok=True)
    names = sorted(path.name.removesuffix("_0000.png") for path in typed.i.iterdir())
    for name, before in zip(names, [names[-1], *names[:-1]], strict=True):
        shutil.copy(typed.i.parent / "labelsTs" / f"{before}.png", typed.o / f"{name}.png")


def fail(when: str) -> None:
    """Fail if the environment has a file `fail` with this word."""
    order = Path(sys.prefix) / "fail"
    if order.exists() and order.read_text("utf-8") == when:
        print("RuntimeError: it broke", when, file=sys.stderr)
        sys.exit(7)


def main() -> None:
    program = Path(sys.argv[0]).name
    with (Path(sys.prefix) / "calls.jsonl").open("a", encoding="utf-8") as notes:
        variables = {
            name: value for name, value in os.environ.items() if name.startswith(("nnUNet_", "OMP_", "PYTHON"))
        }
        notes.write(json.dumps({"program": program, "arguments": sys.argv[1:], "variables": variables}) + "\n")
    print(program, "begins")
    fail("at once")
    parser = ArgumentParser()
    if program == "nnUNetv2_train":
        for word in ("dataset", "configuration", "fold"):
            parser.add_argument(word)
    for name in ("-c", "-np", "-npfp", "-gpu_memory_target", "-tr", "-p", "-device", "-f", "-npp", "-nps"):
        if (program, name) != ("nnUNetv2_train", "-c"):
            parser.add_argument(name)
    parser.add_argument("-overwrite_plans_name", default="nnUNetPlans")
    parser.add_argument("-d", type=int)
    parser.add_argument("-i", type=Path)
    parser.add_argument("-o", type=Path)
    switches = ("c", "val", "verify_dataset_integrity", "no_pbar", "continue_prediction", "disable_progress_bar")
    for name in switches:
        parser.add_argument(f"--{name}", action="store_true", dest=f"switch_{name}")
    dict(zip(PROGRAMS, (plan, train, predict), strict=True))[program](parser.parse_args())


if __name__ == "__main__":
    main()
