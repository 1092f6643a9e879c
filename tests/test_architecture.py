"""Architecture: which package may import which, by the import statements in the source."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tmunet

SOURCE = Path(tmunet.__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("tmunet", "tmunet_lab")
    for path in sorted((SOURCE / package).rglob("*.py"))
}

# a package imports packages of an earlier line only
ORDER = (
    ("temporary",),
    ("file_limits", "text", "files", "labels", "memory", "versions", "progress", "visualize"),
    ("errors",),
    ("config", "extras", "device", "class_names", "fake_forward", "calibration"),
    ("nn", "losses", "metrics", "macs"),
    ("machines", "model_files"),
    ("pretrained",),
    ("data", "registry"),
    ("formats",),
    ("model_card", "model_config"),
    ("model", "datasets", "check"),
    ("hub_card",),
    ("hub", "prediction"),
    ("score_case",),
    ("score_in_pool",),
    ("transfer",),
    ("evaluation", "training", "video", "pacs"),
    ("evaluate_predictions",),
    ("report", "api", "serving"),
    ("active_learning",),
    ("cli",),
)
RANKS = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}


@cache
def imports(path: Path, lazy: bool = True) -> tuple[str, ...]:
    """Dotted names of what a module imports; `lazy` includes imports inside functions, type checking is left out."""

    def walk(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if not lazy and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    return tuple(walk(ast.parse(path.read_text("utf-8"))))


def modules_of(package: str) -> dict[str, Path]:
    """A module, or the modules of a package, by dotted name."""
    return {name: path for name, path in MODULES.items() if name == package or name.startswith(f"{package}.")}


def own_imports(path: Path, lazy: bool = True) -> set[str]:
    """The modules of ours that a module imports."""
    return {name if name in MODULES else name.rpartition(".")[0] for name in imports(path, lazy)} & MODULES.keys()


def others(package: str, allowed: tuple[str, ...]) -> list[str]:
    """Imports of a package that are neither of the standard library nor allowed."""
    found = modules_of(package)
    assert found
    return [
        f"{module}: {name}"
        for module, path in found.items()
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(name == place or name.startswith(f"{place}.") for place in allowed)
    ]


def against_the_order(module: str, imported: str) -> bool:
    """Return whether an import leads to a package of the same line or a later one."""
    package, _, room = module.partition(".")
    room, other = room.partition(".")[0], imported.split(".")[1] if "." in imported else ""
    if package == "tmunet_lab":
        return False
    if imported.startswith("tmunet_lab"):
        return room != "cli"
    return room != other and bool(other) and RANKS[room] <= RANKS[other]


def test_packages_import_earlier_packages_only() -> None:
    found = {
        (module, imported)
        for module, path in MODULES.items()
        if module not in ("tmunet", "tmunet.__main__")
        for imported in own_imports(path)
        if against_the_order(module, imported)
    }
    assert found == set()


def test_the_order_sees_what_is_against_it() -> None:
    assert against_the_order("tmunet.data.dataset", "tmunet.training.fit")
    assert against_the_order("tmunet.training.fit", "tmunet.evaluation")
    assert against_the_order("tmunet.nn.tmunet", "tmunet_lab.bench.measure")
    assert not against_the_order("tmunet.training.fit", "tmunet.data.dataset")
    assert not against_the_order("tmunet_lab.bench.measure", "tmunet.cli.main")
    assert "tmunet.registry" in own_imports(MODULES["tmunet.cli.bench"])  # inside a function


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("tmunet.nn", ("torch", "tmunet.nn")),
        ("tmunet.losses", ("torch", "tmunet.labels")),
        *(
            (f"tmunet.metrics.{module}", ("numpy", "scipy", "tmunet.metrics", "tmunet.errors"))
            for module in ("functional", "protocols", "bootstrap")
        ),
        ("tmunet.config", ("yaml", "tmunet.errors", "tmunet.file_limits")),
        ("tmunet.registry", ("torch", "tmunet.config", "tmunet.errors", "tmunet.pretrained")),
    ],
)
def test_a_package_imports_only(package: str, allowed: tuple[str, ...]) -> None:
    assert others(package, allowed) == []


def test_the_networks_import_neither_their_forms_for_inference_nor_kernels_but_by_the_dispatch() -> None:
    networks = {
        module: own_imports(path)
        for module, path in modules_of("tmunet.nn").items()
        if not module.startswith(("tmunet.nn.inference", "tmunet.nn.kernels"))
    }
    found = set().union(*networks.values())
    assert not any(name.startswith("tmunet.nn.inference") for name in found)
    by_kernels = {
        (module, name) for module, names in networks.items() for name in names if name.startswith("tmunet.nn.kernels.")
    }
    assert by_kernels == {
        ("tmunet.nn.mlstm", "tmunet.nn.kernels.chunkwise"),  # the dispatch
        ("tmunet.nn.layers", "tmunet.nn.kernels.layout"),  # order in memory, which changes no value
    }


@pytest.mark.parametrize("lazy", [False, True])
def test_there_are_no_import_circles(lazy: bool) -> None:
    graph = {module: own_imports(path, lazy) - {module, "tmunet"} for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_two_modules_have_one_name() -> None:
    names = Counter(path.stem for path in MODULES.values() if path.stem != "__init__")
    assert {name for name, count in names.items() if count > 1} == set()


def test_no_file_is_longer_than_500_lines() -> None:
    assert {module for module, path in MODULES.items() if len(path.read_text("utf-8").splitlines()) > 500} == set()


def test_only_the_command_line_writes_to_the_terminal() -> None:
    programs = {  # run by themselves
        "tmunet.prediction.standalone",
        "tmunet_lab.bench.subprocess_probe",
        "tmunet_lab.experiments.child",
    }
    writing = {
        module
        for module, path in MODULES.items()
        if not module.startswith("tmunet.cli.") and module not in programs | {"tmunet.progress"}
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "tqdm.write", "sys.stdout.write")
    }
    assert writing == set()


def loaded_by(code: str) -> set[str]:
    """Names in `sys.modules` of a fresh process that runs some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_by("import tmunet")
    assert not loaded & {"torch", "numpy", "scipy", "yaml", "argparse", "pytorch_lightning"}
    assert {name for name in loaded if name.startswith("tmunet")} == {"tmunet"}


def test_creating_a_network_loads_neither_a_parser_nor_yaml() -> None:
    loaded = loaded_by("import tmunet; tmunet.create_model('tmunet_t')")
    assert "tmunet.nn.tmunet" in loaded
    assert not loaded & {"yaml", "jsonargparse", "docstring_parser", "tmunet.cli", "tmunet_lab"}


def test_nothing_loads_torchvision() -> None:
    loaded = loaded_by("import tmunet.cli.main, tmunet.training.fit, tmunet.prediction.predictor")
    assert {"torch", "pytorch_lightning", "tmunet.prediction.predictor"} <= loaded
    assert not {name for name in loaded if name.split(".")[0] == "torchvision"}


def test_every_public_name_is_there() -> None:
    for name in tmunet.__all__:
        assert getattr(tmunet, name).__name__.split(".")[-1] == name
        assert name in dir(tmunet)
    with pytest.raises(AttributeError, match="has no attribute 'Predicter'"):
        tmunet.Predicter  # noqa: B018
