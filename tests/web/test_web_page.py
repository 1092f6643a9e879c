"""The exported web page: its folder, with a stand-in for the runtime."""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from tmunet.cli.main import main
from tmunet.errors import InputError, UsageError
from tmunet.files import sha256, write_json
from tmunet.model import TrainedModel
from tmunet.prediction import web_page
from tmunet.prediction.export_model import Exported
from tmunet.prediction.validate import Parity
from tmunet.prediction.web_page import RUNTIME_FILES, export_page, read_runtime

from ..coded_errors import coded
from ..small_models import bright_model

CONTENTS = {name: f"content of {name}".encode() for name in RUNTIME_FILES}


def exported(trained: TrainedModel, to: str, size: int | None, out: Path) -> Exported:
    """What `export_model` leaves, without its seconds of tracing; `test_browser.py` takes the real one."""
    assert to == "onnx"
    out.mkdir(parents=True, exist_ok=True)
    for name in ("model.onnx", "run.py"):
        (out / name).write_text(name)
    about = {"model": "model.onnx", "files": {"model.onnx": "0" * 64}, "classes": trained.config.classes, "size": size}
    write_json(out / "model.json", about)
    return Exported(out, Parity(0.0, 1.0), None)


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    """Small files in the place of the runtime and the network."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(web_page, "RUNTIME_FILES", hashes)
        monkeypatch.setattr(web_page, "export_model", exported)
        monkeypatch.setattr("tmunet.model.load_model", lambda _: bright_model())
        yield monkeypatch


@pytest.fixture(scope="module")
def runtime(patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `npm pack` writes."""
    path = tmp_path_factory.mktemp("npm") / "runtime.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in CONTENTS.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture(scope="module")
def page(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("models") / "mine"
    model.mkdir()
    assert main(["export", str(model), "--format", "web", "--runtime", str(runtime), "--size", "48"]) == 0
    return model.with_name("mine-web")


def test_the_folder_holds_page_model_and_runtime_with_their_hashes(page: Path) -> None:
    about = json.loads((page / "model.json").read_text())
    files = {path.relative_to(page).as_posix() for path in page.rglob("*") if path.is_file()}
    assert about["files"] == {name: sha256(page / name) for name in files - {"model.json"}}
    own = {path.name for path in (resources.files("tmunet") / "web").iterdir()} - {"runtime_license.txt"}
    assert own | {"model.onnx", "model.json"} == {name for name in files if "/" not in name}
    assert (page / "runtime" / "ort.wasm.min.js").read_bytes() == CONTENTS["ort.wasm.min.mjs"]
    assert (page / "runtime" / "ort-wasm-simd-threaded.wasm").read_bytes() == CONTENTS["ort-wasm-simd-threaded.wasm"]
    assert "Microsoft" in (page / "runtime" / "LICENSE.txt").read_text()
    assert (about["name"], about["runtime"], about["size"]) == ("mine", "onnxruntime-web", 48)
    assert about["classes"] == ["background", "foreground"]


def test_the_page_loads_own_files_only(page: Path) -> None:
    html = (page / "index.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    rules = {words[0]: words[1:] for words in map(str.split, policy[1].split(";"))}
    assert rules["default-src"] == ["'self'"]
    assert rules["script-src"] == ["'self'", "'wasm-unsafe-eval'"]
    assert set(rules) == {"default-src", "script-src", "object-src", "base-uri", "form-action"}
    scripts = "".join(path.read_text() for path in page.glob("*.js"))
    addresses = re.findall(r"https?://[^<\s\"']+", html + scripts + (page / "page.css").read_text())
    assert addresses == ["http://localhost:8000"]  # in the text for those who open the file itself
    modules = set(re.findall(r'from "\./([^"]+)"', scripts))
    assert modules == {path.name for path in page.glob("*.js")} - {"main.js", "offline.js"}


def test_an_unpacked_package_is_taken_too(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    for name, content in CONTENTS.items():
        (tmp_path / "dist" / name).write_bytes(content)
    assert read_runtime(tmp_path) == CONTENTS


def test_another_version_of_the_runtime_is_refused(
    runtime: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(web_page, "RUNTIME_FILES", RUNTIME_FILES)
    with pytest.raises(InputError, check=coded("runtime-version", runtime)):
        export_page(bright_model(), "mine", None, runtime, tmp_path / "page")
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize("kind", ["missing", "folder", "text"])
def test_what_is_no_runtime_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("no archive")
    with pytest.raises(InputError, check=coded("runtime", path)):
        read_runtime(path)


def test_the_runtime_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, check=coded("runtime")):
        export_page(bright_model(), "mine", None, None, tmp_path / "page")


def test_a_folder_with_files_is_not_written_into(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, check=coded("not-empty", tmp_path)):
        export_page(bright_model(), "mine", None, runtime, tmp_path)


@pytest.mark.parametrize(
    "flags", [["--format", "onnx", "--runtime", "x.tgz"], ["--format", "web", "--int8", "."], ["--format", "web"]]
)
def test_flags_that_do_not_fit(
    patch: pytest.MonkeyPatch, flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmunet.prediction.folder.find_images", lambda _: [])
    assert main(["export", str(tmp_path / "mine"), *flags]) == 2
    assert list(tmp_path.iterdir()) == []
