"""Export a trained model as a web page: a folder for any web host, which segments images in the browser and uploads nothing.

The network runs in ONNX Runtime Web (WebAssembly, MIT license). Its files are larger than this package, so they are taken from
the npm package `onnxruntime-web` that the user downloads, and must have the hashes that are pinned here.
"""

import hashlib
import json
import tarfile
from dataclasses import replace
from importlib import resources
from pathlib import Path

from tmunet.errors import InputError, UsageError
from tmunet.files import sha256, write_bytes, write_json
from tmunet.model import TrainedModel
from tmunet.prediction.backends.names import ExportSize
from tmunet.prediction.export_model import METADATA, SCRIPT, Exported, check_new_folder, export_model
from tmunet.temporary import whole_folder

RUNTIME, RUNTIME_VERSION = "onnxruntime-web", "1.30.0"
RUNTIME_FILES = {  # of dist/ in the npm package, with their SHA-256
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
GET_RUNTIME = f"npm pack {RUNTIME}@{RUNTIME_VERSION}"
LICENSE = "runtime_license.txt"


def export_page(trained: TrainedModel, name: str, size: ExportSize | None, runtime: Path | None, out: Path) -> Exported:
    """Export a model as a web page, and validate its ONNX file against PyTorch before `out` is created.

    Args:
        trained: the model.
        name: of the model, which the page shows.
        size: as of `export_model`.
        runtime: the npm package `onnxruntime-web`: the file of `npm pack`, or the unpacked folder.
        out: a new or empty folder.

    Raises:
        UsageError: `runtime` is None, `out` is not empty, or the network does not take the size.
        InputError: `runtime` is no npm package, or its files are not those of the pinned version.
        MissingExtraError: a package is not installed.
        BackendError: as of `export_model`. Nothing is written then.
    """
    if runtime is None:
        raise UsageError(
            f"Expected --runtime with {RUNTIME} {RUNTIME_VERSION}, which runs the network in the browser; get it with: "
            f"{GET_RUNTIME}, and give --runtime {RUNTIME}-{RUNTIME_VERSION}.tgz.",
            code="runtime",
        )
    files = read_runtime(runtime)
    check_new_folder(out)
    with whole_folder(out) as folder:
        done = export_model(trained, "onnx", size, folder)
        (folder / SCRIPT).unlink()
        for source in (resources.files("tmunet") / "web").iterdir():
            target = folder / ("runtime/LICENSE.txt" if source.name == LICENSE else source.name)
            write_bytes(target, source.read_bytes())
        for file, content in files.items():
            # some web hosts do not know .mjs, and browsers run no module of an unknown type
            write_bytes((folder / "runtime" / file).with_suffix(Path(file).suffix.replace("mjs", "js")), content)
        about = json.loads((folder / METADATA).read_text("utf-8"))
        written = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != METADATA)
        hashes = {path.relative_to(folder).as_posix(): sha256(path) for path in written}
        page = {"name": name, "runtime": RUNTIME, "runtime_version": RUNTIME_VERSION, "files": hashes}
        write_json(folder / METADATA, {**about, **page})
    return replace(done, folder=out)


def read_runtime(source: Path) -> dict[str, bytes]:
    """Read the files of ONNX Runtime Web from the npm package, a .tgz or an unpacked folder, and check their hashes.

    Raises:
        InputError: a file cannot be read (code "runtime") or has another content (code "runtime-version").
    """
    found = {}
    for name, expected in RUNTIME_FILES.items():
        try:
            content = _read_member(source, f"dist/{name}")
        except (OSError, KeyError, tarfile.TarError) as error:
            raise InputError(
                f"{source}: expected the npm package {RUNTIME} {RUNTIME_VERSION}, but dist/{name} cannot be read: {error}. "
                f"Get it with: {GET_RUNTIME}",
                code="runtime",
                path=source,
            ) from error
        actual = hashlib.sha256(content).hexdigest()
        if actual != expected:
            raise InputError(
                f"{source}: expected dist/{name} of {RUNTIME} {RUNTIME_VERSION} with SHA-256 {expected}, but found {actual}: "
                f"another version, or damaged. Get it with: {GET_RUNTIME}",
                code="runtime-version",
                path=source,
            )
        found[name] = content
    return found


def _read_member(source: Path, name: str) -> bytes:
    if source.is_dir():
        return (source / name).read_bytes()
    with tarfile.open(source) as archive:
        member = archive.extractfile(f"package/{name}")
        if member is None:
            raise KeyError(f"package/{name} is no file")
        with member:
            return member.read()
