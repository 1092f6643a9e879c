"""Expand plans into runs: order, folders, settings, data sources, commands."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tmunet.cli.evaluate import EvaluateConfig
from tmunet.cli.parser import parse
from tmunet.data.split.splits import fixed_splits, read_split
from tmunet.errors import UsageError
from tmunet.training.train_config import TrainConfig, read_recipe
from tmunet_lab.experiments.data_sources import find_data_source
from tmunet_lab.experiments.plan import PlannedNetwork, list_plans, read_plan
from tmunet_lab.experiments.runs import evaluate_command, expand_plan, resume_command, train_command

from .small_plans import small_plan, small_runs

MakeDataset = Callable[..., Path]


def test_runs_come_seed_by_seed_in_folders_that_say_what_they_are(tmp_path: Path) -> None:
    runs = small_runs(
        tmp_path, networks={"U-Lite (small)": PlannedNetwork("ulite"), "T": PlannedNetwork("tmunet_t")}, seeds=[3, 1]
    )
    assert [run.folder.path.name for run in runs] == [
        "discs-own-u-lite-small-s3",
        "discs-own-t-s3",
        "discs-own-u-lite-small-s1",
        "discs-own-t-s1",
    ]
    assert runs[0].key == ("U-Lite (small)", "discs", "own", 3)
    assert runs[0].log == tmp_path / "runs" / "discs-own-u-lite-small-s3.log"


def test_a_network_s_settings_count_over_those_of_the_data_over_those_of_the_plan_over_the_recipe(
    tmp_path: Path,
) -> None:
    network = PlannedNetwork("ulite", settings={"optimizer": {"learning_rate": 0.5}})
    runs = small_runs(
        tmp_path,
        networks={"A": network, "B": PlannedNetwork("tmunet_t", {"mstm": {"pooling": False}})},
        data=["discs", "rings"],
        settings={"epochs": 7, "optimizer": {"learning_rate": 0.1, "decay": 0.9}, "devices": 2},
        data_settings={"rings": {"epochs": 8, "optimizer": {"learning_rate": 0.2}}},
    )
    found = {(run.data, run.network): run.config for run in runs}
    assert [(key, config.epochs, config.optimizer.learning_rate) for key, config in found.items()] == [
        (("discs", "A"), 7, 0.5),
        (("discs", "B"), 7, 0.1),
        (("rings", "A"), 8, 0.5),
        (("rings", "B"), 8, 0.2),
    ]
    assert all((config.optimizer.decay, config.batch_size, config.devices) == (0.9, 16, 2) for config in found.values())
    assert found["rings", "B"].model_args == {"mstm": {"pooling": False}}


@pytest.mark.parametrize("name", list_plans())
def test_commands_parse_to_the_planned_config(name: str, tmp_path: Path) -> None:
    plan = replace(
        read_plan(name), settings={"optimizer": {"clip_norm": None, "schedule": "cosine"}, "tensorboard": True}
    )
    for run in expand_plan(
        replace(plan, seeds=[5], data=plan.data[:1], splits=plan.splits[:1], substitutes={}),
        tmp_path,
        tmp_path / "runs",
        "cpu",
    ):
        verb, *flags = train_command(run)
        assert verb == "train"
        assert parse(TrainConfig, flags, verb, defaults=read_recipe("paper")) == run.config
        assert resume_command(run) == ["train", "--resume", str(run.folder.path)]
        verb, *flags = evaluate_command(run, "paper")
        config = parse(EvaluateConfig, flags, verb)
        assert (config.model, config.protocol, config.subset) == (str(run.folder.path), "paper", "test")
        assert config.allow_train_images
        assert config.split == str(run.folder.split)


def test_settings_that_do_not_fit_are_named_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"U-Lite on discs.*'epoch'"):
        small_runs(tmp_path, settings={"epoch": 3})
    with pytest.raises(UsageError, match="devices"):
        small_runs(tmp_path, settings={"batch_size": 3, "devices": 2})
    with pytest.raises(UsageError, match="'papre'"):
        expand_plan(small_plan(recipe="papre"), tmp_path, tmp_path)


def test_a_data_set_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    assert "then: tmunet import MoNuSeg DOWNLOADED" in find_data_source(tmp_path, "MoNuSeg", "random").reason
    assert "data set of your own" in find_data_source(tmp_path, "discs", "own").reason


def test_a_split_is_the_package_s_else_one_of_the_data_set(make_dataset: MakeDataset, tmp_path: Path) -> None:
    folder = make_dataset(train=5, val=1, test=3)
    own = find_data_source(tmp_path, "discs", "own")
    assert (own.split, own.images, own.reason) == (folder / "split.json", (5, 1, 3), "")
    assert own.sha256 == read_split(folder / "split.json", [f"case{i}" for i in range(9)]).sha256
    lacking = find_data_source(tmp_path, "discs", "grouped")
    assert (
        f"make it with: tmunet split {folder} --kind grouped --out {folder / 'splits' / 'grouped.json'}"
        in lacking.reason
    )
    (folder / "splits").mkdir()
    (folder / "split.json").rename(folder / "splits" / "grouped.json")
    assert find_data_source(tmp_path, "discs", "grouped").sha256 == own.sha256
    assert "make it with: tmunet split" in find_data_source(tmp_path, "discs", "own").reason
    assert find_data_source(tmp_path, "MoNuSeg", "random").split == fixed_splits("MoNuSeg")["random"]


def test_a_data_set_with_faults_is_a_reason(make_dataset: MakeDataset, tmp_path: Path) -> None:
    make_dataset(name="MoNuSeg")
    reason = find_data_source(tmp_path, "MoNuSeg", "random").reason
    assert "there is no case" in reason
    assert f"See: tmunet check {tmp_path / 'MoNuSeg'}" in reason
    make_dataset(name="untested", test=0)
    assert "has no test images" in find_data_source(tmp_path, "untested", "own").reason
