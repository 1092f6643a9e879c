"""Which room may know of which, kept by reading the imports."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tmunet

SOURCE = Path(tmunet.__file__).parent


def room(*names: str) -> list[Path]:
    """The modules of rooms (folders) and single files of the package."""
    return [
        path
        for name in names
        for path in ([SOURCE / name] if name.endswith(".py") else sorted((SOURCE / name).rglob("*.py")))
    ]


def imports(path: Path) -> Iterator[str]:
    """Dotted names of everything a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def foreign(paths: list[Path], allowed: tuple[str, ...], forbidden: tuple[str, ...]) -> list[str]:
    """The imports of tmunet and of packages that a room should not have."""

    def within(name: str, places: tuple[str, ...]) -> bool:
        return any(name == place or name.startswith(f"{place}.") for place in places)

    return [
        f"{path.relative_to(SOURCE)}: {name}"
        for path in paths
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and (within(name, forbidden) or (allowed and not within(name, allowed)))
    ]


@pytest.mark.parametrize(
    ("rooms", "allowed"),
    [
        (("losses.py", "logits.py", "labels.py"), ("torch", "tmunet.labels")),
        (("metrics",), ("numpy", "scipy", "tmunet.metrics", "tmunet.errors")),
        (("errors.py", "files.py", "__init__.py"), ("tmunet",)),
    ],
)
def test_a_room_imports_only(rooms: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    assert room(*rooms)
    assert foreign(room(*rooms), allowed, ()) == []


def test_the_network_imports_torch_alone() -> None:
    assert foreign(room("nn"), ("torch", "tmunet.nn"), ()) == []


def test_the_network_does_not_import_its_forms_for_inference() -> None:
    specification = [path for path in room("nn") if path.parent.name != "inference"]
    assert foreign(specification, (), ("tmunet.nn.inference",)) == []
    kernels = [path for path in specification if path.name != "mlstm.py"]
    assert foreign(kernels, (), ("tmunet.nn.kernels",)) == []


MODELS = tuple(f"tmunet.{name}" for name in ("model", "model_config", "registry", "nn", "hub"))
LATER = (
    *("tmunet.training", "tmunet.prediction", "tmunet.evaluation", "tmunet_lab.nnunet"),
    *("tmunet_lab.experiments", "tmunet.report", "tmunet.cli"),
)


def test_the_check_knows_of_scores_only_what_is_too_small_to_be_an_object() -> None:
    known = {name for path in room("check") for name in imports(path) if name.startswith("tmunet.metrics")}
    assert known == {"tmunet.metrics.lesions.MIN_OBJECT_PIXELS", "tmunet.metrics.lesions.components"}


@pytest.mark.parametrize(
    ("rooms", "forbidden"),
    [
        (("data",), (*MODELS, *LATER, "tmunet.metrics", "tmunet.check")),
        (("check",), (*MODELS, *LATER)),
        (("infer",), ("tmunet.training", "tmunet_lab.experiments", "tmunet.report", "tmunet.cli", "pytorch_lightning")),
        (("train",), ("tmunet_lab.experiments", "tmunet.report", "tmunet.cli")),
        (("export",), ("tmunet.training", "tmunet.prediction", "tmunet.report", "tmunet.cli", "pytorch_lightning")),
        (("nnunet",), (*MODELS, "tmunet.training", "tmunet.report", "tmunet.cli")),
        (("report", "evaluation.py"), ("tmunet.training", "tmunet_lab.experiments", "tmunet.cli", "pytorch_lightning")),
        (("bench",), ("tmunet.training", "tmunet_lab.experiments", "tmunet.report", "tmunet.cli", "pytorch_lightning")),
        (("experiments",), ("tmunet.cli", "pytorch_lightning")),
        (("model.py", "model_config.py", "registry.py", "config.py"), LATER),
        ((".",), ("torchvision", "nnunetv2")),
    ],
)
def test_a_room_does_not_import(rooms: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
    assert room(*rooms)
    assert foreign(room(*rooms), (), forbidden) == []


def test_the_reader_of_imports_sees_them() -> None:
    assert "metrics/overlap.py: numpy" in foreign(room("metrics"), ("scipy",), ())
    assert "model.py: torch" in foreign(room("model.py"), (), ("torch",))
    assert "cli/predict.py: tmunet.prediction.folder.find_images" in foreign(room("cli"), (), ("tmunet.prediction",))


def test_only_the_command_line_and_the_report_print() -> None:
    script = SOURCE / "export" / "runner.py"  # runs by itself, beside an exported model
    printing = {
        path.relative_to(SOURCE).parts[0]
        for path in room(".")
        if path != script
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert "cli" in printing
    assert printing <= {"cli", "report"}


def loaded_by(*modules: str) -> set[str]:
    """Names in `sys.modules` of a fresh process that imports modules."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_by("tmunet")
    assert not loaded & {"torch", "numpy", "scipy", "yaml", "jsonargparse", "pytorch_lightning"}
    assert {name for name in loaded if name.startswith("tmunet")} == {"tmunet"}


def test_nothing_loads_torchvision() -> None:
    loaded = loaded_by("tmunet.cli.main", "tmunet.training.fit", "tmunet.prediction.predictor")
    assert {"torch", "pytorch_lightning", "tmunet.prediction.predictor"} <= loaded
    assert not {name for name in loaded if name.split(".")[0] == "torchvision"}


def test_every_public_name_is_there() -> None:
    for name in tmunet.__all__:
        assert getattr(tmunet, name).__name__ == name
        assert name in dir(tmunet)
    with pytest.raises(AttributeError, match="has no attribute 'Predicter'"):
        tmunet.Predicter  # noqa: B018
