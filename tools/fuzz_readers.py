"""Every reader of files from outside, each with valid files to damage: the table that `fuzz.py` goes through."""

import gzip
import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image

from tmunet.errors import TMUNetError

ROOT = Path(__file__).parents[1]
RAMP = (np.add.outer(np.arange(32), np.arange(44)) * 3).astype(np.uint8)
COLOR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1)


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes:
        file: name that the damaged file gets.
        originals: contents of valid files; may write into the folder, where they stay beside the damaged file.
        read: reads the damaged file; what it writes goes into the second path, a folder.
        is_text: damage by words too, such as long numbers and open brackets.
        packages: that it needs besides those of the plain installation.
    """

    file: str
    originals: Callable[[Path], list[bytes]]
    read: Callable[[Path, Path], object]
    is_text: bool = False
    packages: tuple[str, ...] = ()


def _pictures(kind: str, *modes: str, **options: object) -> Callable[[Path], list[bytes]]:
    def make(_: Path) -> list[bytes]:
        contents = []
        for mode in modes:
            buffer = io.BytesIO()
            Image.fromarray(COLOR).convert(mode).save(buffer, kind, **options)
            contents.append(buffer.getvalue())
        return contents

    return make


def _read_picture(path: Path, _: Path) -> None:
    from tmunet.data.io.images import read_image
    from tmunet.data.io.masks import read_mask

    with suppress(TMUNetError):
        read_mask(path, ("background", "foreground"))
    read_image(path)


def _tiffs(_: Path) -> list[bytes]:
    import tifffile

    contents = []
    for values, options in (
        (RAMP, {}),
        (COLOR, {"photometric": "rgb", "compression": "deflate"}),
        (RAMP.astype(np.uint16), {"tile": (16, 16)}),
        (RAMP.astype(np.float32), {"compression": "lzw"}),
    ):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, values, **options)
        contents.append(buffer.getvalue())
    return contents


def _niftis(_: Path) -> list[bytes]:
    import nibabel

    plain = nibabel.Nifti1Image(np.stack([RAMP.T] * 3, axis=-1), np.diag([0.5, 0.5, 2, 1])).to_bytes()
    return [plain, nibabel.Nifti1Image(RAMP.T[..., None].astype(np.float32), np.eye(4)).to_bytes()]


def _packed_niftis(folder: Path) -> list[bytes]:
    return [gzip.compress(content, mtime=0) for content in _niftis(folder)]


def _read_slices(path: Path, out: Path) -> None:
    from pathlib import PurePosixPath

    from tmunet.datasets._build.slices import expand_slices
    from tmunet.datasets._build.source import SourceFiles

    expand_slices(SourceFiles(path.parent, {PurePosixPath(path.name): path}), out)


def _npzs(_: Path) -> list[bytes]:
    contents = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, image=RAMP, label=RAMP > 90)
        contents.append(buffer.getvalue())
    return contents


def _dicoms(folder: Path) -> list[bytes]:
    sys.path.insert(0, str(ROOT))
    made: list[bytes] = import_module("tests.formats.dicom_sources").compressed_originals(folder)
    return made


def _segmentations(folder: Path) -> list[bytes]:
    return _dicoms(folder)[-1:]


def _read_dicom(path: Path, out: Path) -> None:
    from tmunet.formats.dicom_file import patient_group
    from tmunet.formats.dicom_image import DicomImage, decode_dicom, read_dicom_spacing
    from tmunet.formats.dicom_seg import SegmentationModel, write_segmentation

    for step in (decode_dicom, patient_group, read_dicom_spacing):
        with suppress(TMUNetError):
            step(path)
    image = DicomImage.open(path)
    image.frame(image.frames - 1)
    size = (image.frames, int(image.dataset.Rows), int(image.dataset.Columns))
    if np.prod(size) < 10**6:
        model = SegmentationModel("tmunet_t", "0" * 64)
        write_segmentation(out / "seg.dcm", image.dataset, np.zeros(size, np.uint8), ("a", "b"), model)


def _xml(_: Path) -> list[bytes]:
    corners = "".join(f'<Vertex X="{x}.5" Y="{y}" Z="0"/>' for x, y in ((1, 1), (20, 1), (20, 9), (1, 9)))
    regions = "".join(f'<Region Id="{i}" NegativeROA="0"><Vertices>{corners}</Vertices></Region>' for i in range(3))
    head = '<?xml version="1.0"?>\n'
    body = f'<Annotations MicronsPerPixel="0.25"><Annotation Id="1"><Regions>{regions}</Regions></Annotation></Annotations>'
    return [(head + body).encode(), body.encode("utf-16")]


def _read_xml(path: Path, _: Path) -> None:
    from tmunet.datasets._build.aperio import read_annotation_mask

    read_annotation_mask(path, (32, 44))


def _geojson(folder: Path) -> list[bytes]:
    Image.fromarray(RAMP).save(folder / "canvas.png")
    ring = [[1, 1], [20.5, 1], [20, 9], [1, 1]]
    features = [
        {
            "type": "Feature",
            "id": str(number),
            "geometry": {"type": kind, "coordinates": [ring] if kind == "Polygon" else [[ring], [ring]]},
            "properties": {"objectType": "annotation", "classification": {"name": "cell", "color": [1, 2, 3]}},
        }
        for number, kind in enumerate(("Polygon", "MultiPolygon"))
    ]
    return [json.dumps({"type": "FeatureCollection", "features": features}).encode(), json.dumps(features).encode()]


def _read_geojson(path: Path, _: Path) -> None:
    from tmunet.formats.qupath_masks import draw_annotations

    draw_annotations(path, path.with_name("canvas.png"), ("background", "cell"))


NAMES = tuple(f"{number:03d}" for number in range(8))


def _tables(_: Path) -> list[bytes]:
    rows = "case,group,age\n" + "".join(f"{name},patient {name[-1]},40\n" for name in NAMES)
    return [rows.encode(), rows.replace(",", ";").encode("utf-16"), rows.replace(",", "\t").encode("utf-8-sig")]


def _read_table(path: Path, _: Path) -> None:
    from tmunet.data.split.group_table import read_groups

    read_groups(path, NAMES)


def _yaml(_: Path) -> list[bytes]:
    from tmunet.config import to_yaml
    from tmunet.training.train_config import TrainConfig

    return [to_yaml(TrainConfig(data="images")).encode()]


def _read_yaml(path: Path, _: Path) -> None:
    from tmunet.config import from_mapping, read_yaml
    from tmunet.training.train_config import TrainConfig

    from_mapping(TrainConfig, read_yaml(path), path)


def _dataset_json(_: Path) -> list[bytes]:
    cases = {name: {"group": "p1", "source": [f"{name}.png"]} for name in NAMES}
    content: dict[str, object] = {"name": "x", "classes": ["background", "cell"], "ignore_label": 255, "cases": cases}
    return [json.dumps({**content, "spacing_mm": {name: [0.5, 0.5] for name in NAMES}}).encode()]


def _read_dataset_json(path: Path, _: Path) -> None:
    from tmunet.data.cases import read_dataset_info

    read_dataset_info(path.parent)


def _split_json(_: Path) -> list[bytes]:
    return [json.dumps({"train": NAMES[:4], "val": NAMES[4:6], "test": ["images/006.png", "007"]}).encode()]


def _read_split_json(path: Path, _: Path) -> None:
    from tmunet.data.split.splits import read_split

    read_split(path, NAMES)


def _zips(_: Path) -> list[bytes]:
    contents = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name in ("images/a.png", "masks/a.png", "read me.txt"):
                archive.writestr(name, RAMP.tobytes()[:300])
        contents.append(buffer.getvalue())
    return contents


def _tars(_: Path) -> list[bytes]:
    contents = []
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.PAX_FORMAT) as archive:
            for name in ("images/a.png", "masks/" + "b" * 120 + ".png"):
                member = tarfile.TarInfo(name)
                member.size = 300
                archive.addfile(member, io.BytesIO(RAMP.tobytes()[:300]))
        contents.append(buffer.getvalue())
    return contents


def _read_archive(path: Path, out: Path) -> None:
    from tmunet.datasets._build.archives import extract

    extract(path, out / "extracted")


def _packaged(changed: str, other: str) -> Callable[[Path], list[bytes]]:
    def make(folder: Path) -> list[bytes]:
        from tmunet.model_config import packaged_model

        shutil.copy(packaged_model() / other, folder / other)
        return [(packaged_model() / changed).read_bytes()]

    return make


def _read_model(path: Path, _: Path) -> None:
    from tmunet.model import load_model

    load_model(path.parent)


def _onnx(_: Path) -> list[bytes]:
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.ones((1, 3, 3, 3), np.float32), "weight")
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["y"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["y"], ["logits"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 16, 16])
        for name, channels in (("x", 3), ("logits", 1))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight])
    return [helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()]


def _read_onnx(path: Path, _: Path) -> None:
    import torch

    from tmunet.prediction.backends.sessions import load

    load("onnx", path, 1, "float32")(torch.zeros(1, 3, 16, 16))


def _read_upload(path: Path, _: Path) -> None:
    from tmunet.data.io.image_bytes import read_image_bytes

    read_image_bytes(path.read_bytes(), 10_000_000)


def _uploads(folder: Path) -> list[bytes]:
    return [*_pictures("PNG", "L", "RGB")(folder), *_pictures("JPEG", "RGB")(folder), *_tiffs(folder)]


def _videos(folder: Path) -> list[bytes]:
    contents = []
    for suffix, codec in ((".mp4", "mpeg4"), (".mkv", "ffv1"), (".avi", "mjpeg")):
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=48x32:rate=5:duration=1", "-c:v", codec]
        path = folder / f"original{suffix}"
        subprocess.run([*command, "-y", str(path)], check=True, stdin=subprocess.DEVNULL)
        contents.append(path.read_bytes())
        path.unlink()
    return contents


def _read_video(path: Path, _: Path) -> None:
    from tmunet.video.ffmpeg import open_source

    open_source(str(path))


READERS: Mapping[str, Reader] = {
    "png": Reader("a.png", _pictures("PNG", "1", "L", "P", "RGB", "RGBA", "I;16"), _read_picture),
    "jpeg": Reader("a.jpg", _pictures("JPEG", "L", "RGB", "CMYK"), _read_picture),
    "bmp": Reader("a.bmp", _pictures("BMP", "1", "L", "P", "RGB"), _read_picture),
    "gif": Reader("a.gif", _pictures("GIF", "L", "P"), _read_picture),
    "tiff": Reader("a.tif", _tiffs, _read_picture),
    "nifti": Reader("a.nii", _niftis, _read_slices, packages=("nibabel",)),
    "nifti-gz": Reader("a.nii.gz", _packed_niftis, _read_slices, packages=("nibabel",)),
    "npz": Reader("a.npz", _npzs, _read_slices),
    "dicom": Reader("a.dcm", _dicoms, _read_dicom, packages=("pydicom", "imagecodecs")),
    "dicom-seg": Reader("a.dcm", _segmentations, _read_picture, packages=("pydicom", "imagecodecs")),
    "xml": Reader("a.xml", _xml, _read_xml, is_text=True),
    "geojson": Reader("a.geojson", _geojson, _read_geojson, is_text=True),
    "csv": Reader("groups.csv", _tables, _read_table, is_text=True),
    "yaml": Reader("config.yaml", _yaml, _read_yaml, is_text=True),
    "dataset-json": Reader("dataset.json", _dataset_json, _read_dataset_json, is_text=True),
    "split-json": Reader("split.json", _split_json, _read_split_json, is_text=True),
    "zip": Reader("a.zip", _zips, _read_archive),
    "tar": Reader("a.tar", _tars, _read_archive),
    "model-config": Reader("config.json", _packaged("config.json", "model.safetensors"), _read_model, is_text=True),
    "safetensors": Reader("model.safetensors", _packaged("model.safetensors", "config.json"), _read_model),
    "onnx": Reader("model.onnx", _onnx, _read_onnx, packages=("onnx", "onnxruntime")),
    "upload": Reader("upload", _uploads, _read_upload),
    "video": Reader("a.mp4", _videos, _read_video),
}
