"""Tables of the model zoo, docs/reference/networks.md: `python tools/model_zoo.py` writes them anew.

Names, parameters, MACs and input sizes come from the registry and the networks, scores of packaged models from their cards;
what a network is, and whose, stands here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch

from tmunet.files import write_text
from tmunet.macs import count_macs, count_parameters
from tmunet.nn.input_size import InputSize, input_size_of
from tmunet.registry import create_model, list_models

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "networks.md"
OURS, SIDE = "Apache-2.0", 512


@dataclass(frozen=True)
class Family:
    """What networks of one architecture are.

    Attributes:
        what: name of the architecture.
        source: paper.
        license: of the code that runs here.
        authors_code: repository that facts were measured on, and its license; empty for our own and for packages of the authors.
    """

    what: str
    source: str
    license: str = OURS
    authors_code: str = ""


WEIGHTS = "[ImageNet weights](../how-to/train-on-your-images.md#start-from-imagenet-weights) Apache-2.0"
LITE = f"ours, on the encoder of Tan and Le, ICML 2019; {WEIGHTS}"
FAMILIES = {  # how a name begins -> family; the longest beginning counts
    "tmunet_": Family("TM-UNet, as the paper describes it", "Jiao et al., arXiv:2511.12270, 2025"),
    "tmunet_lite": Family("TM-UNet Lite: token memory behind an EfficientNet-Lite encoder", LITE),
    "tmunet2_": Family("[TM-UNet 2](../explanation/network.md#tm-unet-2): token memory on a fast trunk", "ours"),
    "tmunet_released_": Family(
        "TM-UNet, as its authors released it", "Jiao et al., 2025", authors_code="xq141839/TM-UNet, no license"
    ),
    "unet_lite": Family("U-Net decoder on the encoder of `tmunet_lite0`, no token memory", LITE),
    "unet": Family(
        "U-Net, bilinear upsampling",
        "Ronneberger et al., MICCAI 2015",
        authors_code="milesial/Pytorch-UNet, GPL-3.0",
    ),
    "unet_classic": Family(
        "U-Net, transposed convolutions",
        "Ronneberger et al., MICCAI 2015",
        authors_code="milesial/Pytorch-UNet, GPL-3.0",
    ),
    "nnunet": Family(
        "nnU-Net's network for 512 x 512, deep supervision",
        "Isensee et al., Nature Methods 2021",
        "Apache-2.0, package dynamic-network-architectures",
    ),
    "ulite": Family("U-Lite", "Dinh et al., APSIPA ASC 2023", authors_code="duong-db/U-Lite, no license"),
    "tinyunet": Family("TinyU-Net", "Chen et al., MICCAI 2024", authors_code="ChenJunren-Lab/TinyU-Net, MIT"),
    "rolling_unet_": Family("Rolling-UNet", "Liu et al., AAAI 2024", authors_code="Jiaoyang45/Rolling-Unet, MIT"),
    "unext": Family("UNeXt", "Valanarasu and Patel, MICCAI 2022", authors_code="jeya-maria-jose/UNeXt-pytorch, MIT"),
    "mkunet": Family(
        "MK-UNet", "Rahman and Marculescu, ICCV 2025 workshop", authors_code="SLDGroup/MK-UNet, BSD-3-Clause"
    ),
    "zigrir": Family("Zig-RiR", "Chen et al., IEEE TMI 2025", authors_code="the authors' code, Apache-2.0"),
    "monai_basicunet": Family("MONAI's BasicUNet", "Falk et al., Nature Methods 2019", "Apache-2.0, package monai"),
    "monai_attentionunet": Family("MONAI's AttentionUnet", "Oktay et al., MIDL 2018", "Apache-2.0, package monai"),
    "monai_segresnet": Family("MONAI's SegResNet", "Myronenko, BrainLes 2018", "Apache-2.0, package monai"),
}


def networks_table() -> str:
    """One row a network of the registry."""
    heading = "| name | what | parameters | GMAC at 512 x 512 | height and width in pixels |\n|---|---|---|---|---|"
    return "\n".join([heading, *(_network_row(name) for name in list_models())])


def families_table() -> str:
    """One row an architecture: whose it is, and under which license it is here."""
    rows = []
    for family in dict.fromkeys(family_of(name) for name in list_models()):
        names = ", ".join(f"`{name}`" for name in list_models() if family_of(name) == family)
        rows.append(f"| {names} | {family.source} | {family.authors_code or '-'} | {family.license} |")
    heading = "| networks | paper | facts measured on the authors' code | license here |\n|---|---|---|---|"
    return "\n".join([heading, *rows])


def models_table() -> str:
    """One row a trained model of the package."""
    heading = "| name | network | classes | training images | test Dice (strict) |\n|---|---|---|---|---|"
    return "\n".join([heading, *_model_rows()])


def with_tables(page: str) -> str:
    """The page with its tables made anew; they stand between comments that name them."""
    for name, make in TABLES.items():
        before, mark, rest = page.partition(f"<!-- table: {name} -->\n\n")
        _, end, after = rest.partition("\n\n<!-- end -->")
        if not (mark and end):
            raise ValueError(f"Expected {PAGE} to hold the comments `table: {name}` and `end`.")
        page = before + mark + make() + end + after
    return page


def family_of(name: str) -> Family:
    """The family of a network by its name."""
    return FAMILIES[
        max((start for start in FAMILIES if name.startswith(start)), key=len)
    ]  # a new one needs its line above


def _network_row(name: str) -> str:
    network = create_model(name)
    parameters, macs = count_parameters(network), count_macs(network, (SIDE, SIDE))
    size = _size(input_size_of(network))
    return f"| `{name}` | {family_of(name).what} | {parameters:,} | {macs / 1e9:.3f} | {size} |"


def _size(size: InputSize) -> str:
    parts = ["square"] if size.square else []
    parts += [f"divisible by {size.multiple}"] if size.multiple > 1 else []
    parts += [f"from {size.minimum}"] if size.minimum > size.multiple > 1 else []
    return ", ".join(parts) or f"any from {size.minimum}"


def _model_rows() -> Iterator[str]:
    folder = Path(str(resources.files("tmunet") / "models"))
    for path in sorted(folder.glob("*/config.json")):
        config = json.loads(path.read_text("utf-8"))
        made = config["provenance"]
        dice, name = made["test_scores"]["strict"]["dice"], path.parent.name
        card = f"[`{name}`](../../src/tmunet/models/{name}/README.md)"
        yield f"| {card} | `{config['model']}` | {', '.join(config['classes'])} | {made['source']} | {dice} |"


TABLES = {"networks": networks_table, "families": families_table, "models": models_table}


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_text(PAGE, with_tables(PAGE.read_text("utf-8")))
