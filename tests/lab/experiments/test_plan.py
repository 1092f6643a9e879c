"""Plans: those of the package fit networks, recipes and splits; a fault is named with its place."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tmunet.errors import UsageError
from tmunet_lab.experiments.plan import list_plans, list_targets, plan_of, read_plan
from tmunet_lab.experiments.runs import expand_plan

from ...coded_errors import coded

VALID: dict[str, Any] = {"title": "T", "networks": {"U-Net": {"model": "unet"}}, "data": ["discs"]}


def test_every_target_has_a_plan() -> None:
    assert {plan_of(target) for target in list_targets()} | {"smoke"} == set(list_plans())
    assert plan_of("figure1") == plan_of("figure3") == "table1"
    with pytest.raises(UsageError, check=coded("target")):
        plan_of("tabel1")


@pytest.mark.parametrize("target", ["table1", "table2", "table3", "leak"])
def test_the_plans_of_the_paper_train_as_the_paper_says(target: str, tmp_path: Path) -> None:
    plan = read_plan(target)
    assert (plan.recipe, plan.seeds, plan.protocols) == ("paper", [0, 1, 2], ["paper", "strict"])
    runs = expand_plan(plan, tmp_path, tmp_path / "runs")
    assert len({run.folder.path for run in runs}) == len(runs)
    for run in runs:
        config = run.config
        assert (config.preprocess.size, config.epochs, config.batch_size) == (512, 200, 16)
        assert (config.optimizer.name, config.optimizer.learning_rate, config.optimizer.decay) == ("adam", 1e-4, 0.98)


def test_the_networks_of_table_2_differ_by_one_part_each() -> None:
    parts = [
        set(filter(network.model_args["mstm"].get, network.model_args["mstm"]))
        for network in read_plan("table2").networks.values()
    ]
    assert parts == [set(), {"xlstm"}, {"xlstm", "pooling"}, {"xlstm", "pooling", "dwconv"}]


def test_the_leak_shares_its_runs_with_table_1(tmp_path: Path) -> None:
    leak, table = (expand_plan(read_plan(name), tmp_path, tmp_path / "runs") for name in ("leak", "table1"))
    configs = {run.folder.path: run.config for run in table}
    assert all(configs[run.folder.path] == run.config for run in leak)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sedes": [0]}, "There is no setting 'sedes'. Did you mean 'seeds'?"),
        ({"netwrks": {}}, "There is no setting 'netwrks'. Did you mean 'networks'?"),
        ({"networks": {"U-Net": {"modl": "unet"}}}, "U-Net: There is no setting 'modl'. Did you mean 'model'?"),
        ({"networks": {"U-Net": {"model": "unte"}}}, "U-Net: There is no network 'unte'. Did you mean 'unet'?"),
        ({"networks": {1: {"model": "unet"}}}, "Expected a label and the keys of a network, but got 1"),
        ({"networks": {"U-Net": "unet"}}, "Expected a label and the keys of a network, but got 'U-Net': 'unet'"),
        ({"networks": ["unet"]}, "Expected `networks` to be labels and networks"),
        ({"networks": {}}, "Expected at least one in `networks`"),
        (
            {"networks": {"a b": {"model": "unet"}, "A (b)": {"model": "unet"}}},
            "'A (b)' and 'a b' give runs of the same name",
        ),
        ({"networks": {"?": {"model": "unet"}}}, "Expected a label of a network with letters a to z or digits"),
        ({"data": []}, "Expected at least one in `data`"),
        ({"data": ["../discs"]}, "Expected the name of a data set or a split, but got '../discs'"),
        ({"seeds": [0, 1, 0]}, "Expected each of `seeds` once, but got 0 twice."),
        ({"seeds": ["x"]}, "seeds"),
        ({"seeds": [-1]}, "Expected `seeds` from 0 to 4294967295, but got -1."),
        ({"protocols": ["strct"]}, "There is no protocol 'strct'. Did you mean 'strict'?"),
        ({"settings": {"data": "x"}}, "`settings`: 'data' is not a setting of the training here"),
        ({"data_settings": {"discs": {"seed": 3}}}, "`data_settings: discs`: 'seed' is not a setting"),
        (
            {"data_settings": {"disks": {}}},
            "`data_settings`: 'disks' is no data set of the plan. Did you mean 'discs'?",
        ),
        ({"substitutes": {"disks": "UDIAT"}}, "`substitutes`: 'disks' is no data set of the plan."),
    ],
)
def test_a_fault_is_named_with_its_place(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**VALID, **changes}))
    with pytest.raises(UsageError) as caught:
        read_plan(str(path))
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"title": "T", "data": ["discs"]}))
    with pytest.raises(UsageError, match="networks"):
        read_plan(str(tmp_path / "mine.yaml"))
    with pytest.raises(
        UsageError, match=r"There is no plan 'smoek', nor a YAML file of that name.+Did you mean 'smoke'"
    ):
        read_plan("smoek")
