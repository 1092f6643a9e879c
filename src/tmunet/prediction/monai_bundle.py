"""MONAI bundle: a folder that MONAI runs by itself, without this package: TorchScript, metadata and inference as JSON.

Specification: MONAI Bundle Specification, https://docs.monai.io/en/stable/mb_specification.html. The strings of
`configs/inference.json` that begin with `$` are Python that MONAI runs, as in every bundle; none of them imports tmunet.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tmunet import __version__
from tmunet.data.preprocess import normalize
from tmunet.errors import BackendError
from tmunet.files import sha256, write_json, write_text
from tmunet.hub_card import Score
from tmunet.model import TrainedModel, check_size, model_card
from tmunet.model_config import FINGERPRINT, ModelConfig
from tmunet.nn.inference.optimize import optimize_for_inference
from tmunet.prediction.backends.sessions import Session
from tmunet.prediction.backends.torchscript import write_torchscript
from tmunet.prediction.export_model import check_new_folder
from tmunet.prediction.postprocess import THRESHOLD
from tmunet.prediction.validate import Parity, compare_logits, synthetic_images
from tmunet.temporary import whole_folder

SCHEMA = "https://project-monai.github.io/schema/meta_schema_20240725.json"
MONAI_VERSION = "1.6.1"
"""The version that the tests run the bundles with."""
MODEL = "models/model.ts"
COLOR = {1: "L", 3: "RGB"}
BATCH_SIZES = (1, 3)  # validated
IMPORTS = (
    "$import glob",
    "$import numpy",
    "$import torch",
    "$from PIL.Image import Resampling",
    "$from PIL.Image import fromarray",
    "$from PIL.ImageOps import exif_transpose",
    "$from monai.data import MetaTensor",
    "$from torch.nn.functional import interpolate",
)
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
"""Pixels that Pillow and `tmunet predict` read alike; a picture of others, such as 16 bits, finds no reader."""


class _FromUnitRange(nn.Module):
    """A network for images between 0 and 1, which normalizes them itself."""

    def __init__(self, network: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.network, self.by = network, config.preprocess.normalize

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(normalize(x, self.by))
        return logits


def export_bundle(trained: TrainedModel, out: Path, scores: Sequence[Score] = ()) -> Parity:
    """Export a model as a MONAI bundle, and validate its TorchScript against PyTorch before `out` is created.

    Args:
        trained: the model.
        out: a new or empty folder.
        scores: of the model, for the metadata.

    Returns:
        The worst agreement with PyTorch.

    Raises:
        UsageError: `out` is not empty, or the network does not take its own input size.
        BackendError: the model has neither 1 nor 3 channels, the network cannot be exported, or TorchScript computes something
            else. Nothing is written then.
    """
    config = trained.config
    check_size(trained.network, config.preprocess.size, "preprocess.size")
    if config.preprocess.channels not in COLOR:
        raise BackendError(
            f"{config.model} as bundle: expected a model of 1 or 3 channels, which MONAI reads from a picture, but got one of "
            f"{config.preprocess.channels}; use `tmunet predict`. Nothing was written.",
            code="channels",
        )
    check_new_folder(out)
    with whole_folder(out) as folder:
        (folder / MODEL).parent.mkdir(parents=True)
        try:
            parity = _write_model(trained, folder / MODEL)
        except BackendError as error:
            raise BackendError(f"{config.model} as bundle: {error}. Nothing was written.", code=error.code) from error
        known = trained.fingerprint
        if known.train or known.val:
            write_json(folder / "docs" / FINGERPRINT, known.without_names().to_dict())
        write_text(folder / "docs" / "README.md", model_card(config))
        write_json(folder / "configs" / "metadata.json", _metadata(config, sha256(folder / MODEL), scores))
        write_json(folder / "configs" / "inference.json", _inference(config))
    return parity


def _write_model(trained: TrainedModel, file: Path) -> Parity:
    """Write the TorchScript and compare the file with the network."""
    side, channels = trained.config.preprocess.size, trained.config.preprocess.channels
    network = _FromUnitRange(optimize_for_inference(trained.network), trained.config).eval()
    write_torchscript(network, torch.zeros(1, channels, side, side), file)
    found = [
        compare_logits(_session(torch.jit.load(file)), _session(network), synthetic_images(batch, channels, side, side))  # type: ignore[no-untyped-call]
        for batch in BATCH_SIZES
    ]
    return Parity(max(one.difference for one in found), min(one.same_labels for one in found))


def _session(network: nn.Module) -> Session:
    def run(images: Tensor) -> Tensor:
        with torch.inference_mode():
            return torch.as_tensor(network(images))

    return run


def _metadata(config: ModelConfig, model_sha256: str, scores: Sequence[Score]) -> dict[str, Any]:
    side, channels = config.preprocess.size, config.preprocess.channels
    names = ", ".join(f"{label} = {name}" for label, name in enumerate(config.classes))
    image = {"type": "image", "num_channels": channels, "spatial_shape": [side, side], "dtype": "float32"}
    return {
        "schema": SCHEMA,
        "version": "1.0.0",
        "changelog": {"1.0.0": f"exported by tmunet {__version__}"},
        "monai_version": MONAI_VERSION,
        "pytorch_version": version("torch"),
        "numpy_version": version("numpy"),
        "required_packages_version": {"pillow": version("pillow")},
        "name": f"{config.model}: {', '.join(config.classes[1:])}",
        "task": f"2D segmentation of {', '.join(config.classes[1:])}",
        "description": f"A {config.model} network that labels each pixel of a 2D image as one of: {names}.",
        "authors": "Whoever trained the weights; see docs/README.md.",
        "copyright": "Of whoever trained the weights; see docs/README.md.",
        "data_source": str(config.provenance.get("source", config.provenance.get("data", "unknown"))),
        "data_type": "8-bit pictures (PNG, JPEG, BMP)",
        "image_classes": "picture in color" if channels == 3 else "picture in gray",
        "pred_classes": names,
        "eval_metrics": {
            f"{one.name}, {one.data} {one.subset}, protocol {one.protocol}": {"dice": one.dice[0], "images": one.images}
            for one in scores
        },
        "intended_use": "Research on 2D images like those it was trained on. Not for diagnosis or treatment.",
        "references": ["Jiao et al., TM-UNet, arXiv:2511.12270"],
        "model_sha256": model_sha256,
        "trained": {key: config.provenance[key] for key in ("data_sha256", "split_sha256") if key in config.provenance},
        "network_data_format": {
            "inputs": {
                "image": {
                    **image,
                    "format": COLOR[channels],
                    "value_range": [0, 1],
                    "is_patch_data": False,
                    "channel_def": dict(enumerate(["gray"] if channels == 1 else ["red", "green", "blue"])),
                }
            },
            "outputs": {
                "pred": {
                    **image,
                    "format": "logits",
                    "num_channels": config.outputs,
                    "value_range": [],
                    "is_patch_data": False,
                    "channel_def": dict(enumerate(config.classes if config.outputs > 1 else config.classes[1:])),
                }
            },
        },
    }


def _inference(config: ModelConfig) -> dict[str, Any]:
    """The pipeline in MONAI's transforms: Pillow reads and resizes as `tmunet predict` does, so that the labels are the same."""
    side, channels = config.preprocess.size, config.preprocess.channels
    read = (
        f"$lambda image: {{mode: exif_transpose for mode in {MODES}}}[image.mode](image).convert('{COLOR[channels]}')"
    )
    # MONAI keeps pictures as (W, H, C)
    resize = (
        "$lambda image: MetaTensor(torch.from_numpy(numpy.asarray(fromarray("
        "numpy.ascontiguousarray(image.numpy().astype('uint8').swapaxes(0, 1)))"
        f".resize(({side}, {side}), Resampling.BILINEAR), dtype='float32')"
        f".reshape({side}, {side}, {channels}).transpose(2, 0, 1) / numpy.float32(255)), meta=image.meta)"
    )
    threshold = THRESHOLD if config.operating_point is None else config.operating_point.threshold
    label = f"(resized > {threshold}) * 255" if config.outputs == 1 else "resized.argmax(0, keepdim=True)"
    resized = (
        "interpolate(item['pred'].as_tensor()[None], size=[int(n) for n in "
        "item['image'].meta['spatial_shape'][::-1]], mode='bilinear', align_corners=False)[0]"
    )
    to_labels = (
        "$lambda item: {**item, 'pred': MetaTensor((lambda resized: "
        f"({label}).transpose(1, 2))({resized}), meta=item['image'].meta)}}"
    )
    one = "@postprocessing({**item, 'pred': @inferer(item['image'][None].to(@device), @network)[0].cpu()})"
    return {
        "imports": list(IMPORTS),
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/masks'",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "images": "$sorted(glob.glob(@dataset_dir + '/*'))",
        "network_def": f"$torch.jit.load(@bundle_root + '/{MODEL}', map_location=@device)",
        "network": "$@network_def.eval()",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image", "reader": "PILReader", "converter": read},
                {"_target_": "Lambdad", "keys": "image", "func": resize},
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': image} for image in @images]",
            "transform": "@preprocessing",
        },
        "inferer": {"_target_": "SimpleInferer"},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {
                    "_target_": "Activationsd",
                    "keys": "pred",
                    **({"sigmoid": True} if config.outputs == 1 else {"softmax": True}),
                },
                to_labels,
                {
                    "_target_": "SaveImaged",
                    "keys": "pred",
                    "output_dir": "@output_dir",
                    "output_ext": ".png",
                    "output_postfix": "",
                    "output_dtype": "$numpy.uint8",
                    "resample": False,
                    "separate_folder": False,
                    "print_log": False,
                },
            ],
        },
        "run": [f"$torch.inference_mode()(lambda: [{one} for item in @dataset])()"],
    }
