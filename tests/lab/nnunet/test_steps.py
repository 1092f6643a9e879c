"""Training and prediction: the programs get our images and our split, and a step that is done is not repeated."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tmunet.data.dataset import open_dataset
from tmunet.data.fingerprint import pixels_sha256, read_fingerprint
from tmunet.data.io.images import read_image
from tmunet.data.io.masks import read_mask
from tmunet.errors import DataError, InputError, MissingExtraError, UsageError
from tmunet.files import write_json
from tmunet_lab.nnunet.programs import ProgramError, Resources
from tmunet_lab.nnunet.steps import predict, train
from tmunet_lab.nnunet.workspace import Workspace, begin, make_record

from ...coded_errors import coded
from .stand_in import calls

Make = Callable[..., Path]


def programs(workspace: Workspace) -> list[str]:
    return [call["program"].removeprefix("nnUNetv2_") for call in calls(Path(workspace.record.environment))]


def order_failure(workspace: Workspace, when: str) -> Path:
    order = Path(workspace.record.environment) / "fail"
    order.write_text(when, "utf-8")
    return order


def test_training_runs_the_programs_on_our_split(begun: Workspace, resources: Resources, lines: list[str]) -> None:
    train(begun, resources)
    planning, training = calls(Path(begun.record.environment))
    assert " ".join(planning["arguments"]) == (
        "-d 1 -c 2d -np 2 -npfp 2 --verify_dataset_integrity --no_pbar -gpu_memory_target 0.5 "
        "-overwrite_plans_name nnUNetPlans_0.5GB"
    )
    assert " ".join(training["arguments"]) == "1 2d 0 -tr nnUNetTrainer_1epoch -p nnUNetPlans_0.5GB -device cpu"
    for name in ("raw", "preprocessed", "results"):
        assert training["variables"][f"nnUNet_{name}"] == str(begun.folder / name)
    assert training["variables"]["nnUNet_compile"] == "f"
    assert training["variables"]["OMP_NUM_THREADS"] == "1"
    assert training["variables"]["nnUNet_n_proc_DA"] == "2"
    assert "nnUNet_extTrainer" not in training["variables"]
    assert "This split has 3 training and 2 validation cases." in lines
    folds = json.loads((begun.folder / "preprocessed" / "Dataset001_discs" / "splits_final.json").read_text("utf-8"))
    split = begun.open_dataset().split
    assert folds == [{"train": list(split.train), "val": list(split.val)}]
    assert json.loads(begun.planned.read_text("utf-8"))["nnunetv2"] == "2.8.1"
    assert "nnUNetv2_train begins" in begun.log("train").read_text("utf-8")


def test_own_trainers_and_the_gpu(make_dataset: Make, environment: Path, tmp_path: Path) -> None:
    data = make_dataset()
    record = make_record(open_dataset(data), data, None, environment, "Mine", tmp_path, None)
    train(begin(tmp_path / "work", record), Resources("cuda", None, print))
    planning, training = calls(environment)
    assert "-gpu_memory_target" not in planning["arguments"]
    assert training["arguments"] == ["1", "2d", "0", "-tr", "Mine", "-p", "nnUNetPlans", "-device", "cuda"]
    assert training["variables"]["nnUNet_extTrainer"] == str(tmp_path)
    assert "nnUNet_compile" not in training["variables"]


def test_the_images_are_remembered_by_their_pixels(begun: Workspace, resources: Resources) -> None:
    train(begun, resources)
    fingerprint, dataset = read_fingerprint(begun.fingerprint), begun.open_dataset()
    for side, known in (("train", fingerprint.train), ("val", fingerprint.val)):
        assert known == {case.name: pixels_sha256(read_image(case.image)) for case in dataset.subset(side)}


def test_done_steps_are_not_repeated(begun: Workspace, resources: Resources, lines: list[str]) -> None:
    for _ in range(2):
        train(begun, resources)
        assert predict(begun, resources) == 3
    assert programs(begun) == ["plan_and_preprocess", "train", "predict"]
    assert [line.split(":")[0] for line in lines[-3:]] == ["Skipped"] * 3


@pytest.mark.parametrize(("when", "flag"), [("in the middle", "--c"), ("before validation", "--val")])
def test_an_interrupted_training_goes_on(begun: Workspace, resources: Resources, when: str, flag: str) -> None:
    order = order_failure(begun, when)
    with pytest.raises(ProgramError, match=f"RuntimeError: it broke {when}") as caught:
        train(begun, resources)
    assert (caught.value.program, caught.value.returncode) == ("nnUNetv2_train", 7)
    order.unlink()
    train(begun, resources)
    assert programs(begun) == ["plan_and_preprocess", "train", "train"]
    first, second = (call["arguments"] for call in calls(Path(begun.record.environment))[1:])
    assert second == [*first, flag]


def test_planning_that_failed_is_done_again(begun: Workspace, resources: Resources) -> None:
    order = order_failure(begun, "at once")
    for _ in range(2):
        with pytest.raises(ProgramError) as caught:
            train(begun, resources)
        assert (caught.value.program, caught.value.returncode) == ("nnUNetv2_plan_and_preprocess", 7)
    order.unlink()
    train(begun, resources)
    assert programs(begun) == ["plan_and_preprocess"] * 3 + ["train"]


def test_a_training_without_weights_is_not_believed(begun: Workspace, resources: Resources) -> None:
    program = Path(begun.record.environment) / "bin" / "nnUNetv2_train"
    program.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(InputError, check=coded("no-checkpoint")):
        train(begun, resources)


def test_masks_are_those_of_nnunet_under_our_names(begun: Workspace, resources: Resources) -> None:
    train(begun, resources)
    predict(begun, resources)
    cases = begun.open_dataset().subset("test")
    (call,) = (call for call in calls(Path(begun.record.environment)) if call["program"] == "nnUNetv2_predict")
    assert " ".join(call["arguments"]) == (
        f"-i {begun.folder / 'raw/Dataset001_discs/imagesTs'} -o {begun.folder / 'predicted'} -d 1 -c 2d -f 0 "
        "-tr nnUNetTrainer_1epoch -p nnUNetPlans_0.5GB -device cpu -npp 2 -nps 2 "
        "--continue_prediction --disable_progress_bar"
    )
    assert sorted(path.stem for path in begun.masks.iterdir()) == [case.name for case in cases]
    for case, before in zip(cases, [cases[-1], *cases[:-1]], strict=True):  # what the stand-in predicts
        assert before.mask is not None
        mask = read_mask(begun.masks / f"{case.name}.png", ("background", "foreground"))
        np.testing.assert_array_equal(mask, read_mask(before.mask, ("background", "foreground")))


def test_labels_of_three_classes_stay_labels(
    make_dataset: Make, environment: Path, tmp_path: Path, resources: Resources
) -> None:
    data = make_dataset(train=3, val=1, test=3, classes=3)
    record = make_record(open_dataset(data), data, None, environment, "T", None, None)
    workspace = begin(tmp_path / "work", record)
    train(workspace, resources)
    predict(workspace, resources)
    found = {
        value for path in workspace.masks.iterdir() for value in np.unique(read_mask(path, ("background", "a", "b")))
    }
    assert found == {0, 1, 2}


def test_masks_that_are_damaged_or_missing_are_all_named(begun: Workspace, resources: Resources) -> None:
    train(begun, resources)
    predict(begun, resources)
    first, second, _ = begun.open_dataset().subset("test")
    for case in (first, second):
        (begun.masks / f"{case.name}.png").unlink()
    program = Path(begun.record.environment) / "bin" / "nnUNetv2_predict"
    program.write_text("#!/bin/sh\nexit 0\n")
    (begun.predicted / f"{first.name}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (begun.predicted / f"{second.name}.png").unlink()
    with pytest.raises(DataError) as caught:
        predict(begun, resources)
    assert f"{first.name}.png: cannot be decoded" in str(caught.value)
    assert f"{second.name}.png: cannot be opened" in str(caught.value)


def test_prediction_waits_for_the_training(begun: Workspace, resources: Resources) -> None:
    order_failure(begun, "in the middle")
    for _ in range(2):
        with pytest.raises(InputError, check=coded("not-finished")):
            predict(begun, resources)
        with pytest.raises(ProgramError):
            train(begun, resources)


@pytest.mark.parametrize("side", ["val", "test"])
def test_every_side_of_the_split_is_needed(
    make_dataset: Make, environment: Path, tmp_path: Path, resources: Resources, side: str
) -> None:
    data = make_dataset(**{"val": 2, "test": 2, side: 0})
    record = make_record(open_dataset(data), data, None, environment, "T", None, None)
    with pytest.raises(InputError, check=coded("no-images")):
        train(begin(tmp_path / "work", record), resources)
    assert calls(environment) == []


def test_faults_of_the_images_stop_before_nnunet(begun: Workspace, resources: Resources) -> None:
    for case in begun.open_dataset().subset("train")[:2]:
        case.image.write_bytes(b"")
    with pytest.raises(DataError) as caught:
        train(begun, resources)
    assert len(caught.value.faults) == 2
    assert calls(Path(begun.record.environment)) == []


def test_without_nnunet_nothing_is_written(begun: Workspace, resources: Resources, tmp_path: Path) -> None:
    without = replace(begun, record=replace(begun.record, environment=str(tmp_path / "none")))
    with pytest.raises(MissingExtraError, match="pip install torch torchvision"):
        train(without, resources)
    assert begun.dataset_folder is None


def test_a_record_that_lost_a_case_is_named(begun: Workspace, resources: Resources) -> None:
    train(begun, resources)
    write_json(begun.sources, {})
    with pytest.raises(InputError, check=coded("no-hash")):
        predict(begun, resources)


def test_at_least_one_process(resources: Resources) -> None:
    with pytest.raises(UsageError, check=coded("value")):
        replace(resources, processes=0)
    assert int(replace(resources, processes=None).workers) in range(1, 9)
