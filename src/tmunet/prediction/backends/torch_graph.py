"""Export a network with torch.export, for one input size or with dynamic height and width.

The exported graph is specialized to branches that the example took, such as whether a length is divisible or whether there is
more than one chunk. So the example is one for which no shortcut holds, and the graph is compared with the network at random
sizes, where a wrong specialization shows.
"""

import random

import torch
import torch.fx.experimental._config as symbols
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from tmunet.errors import BackendError
from tmunet.nn.input_size import InputSize, input_size_of

EXAMPLE = (264, 328)  # halved five times: sides of 33 to 9 and 41 to 11, divisible by no power of two
RANDOM_SIZES = 8


def dynamic_sizes(network: nn.Module) -> InputSize:
    """Return the input sizes of a network that takes more than one.

    Raises:
        BackendError: it was built for one size.
    """
    sizes = input_size_of(network)
    if sizes.only is not None:
        raise BackendError(
            f"cannot take images of any size: the network was built for a {sizes}; leave --size out", code="one-size"
        )
    return sizes


def export_graph(network: nn.Module, images: Tensor, sizes: InputSize | None) -> ExportedProgram:
    """Export a network in eval mode with a dynamic batch size.

    Args:
        network: maps images (B, C, H, W) to logits (B, K, H, W).
        images: an example (B, C, S, S).
        sizes: heights and widths the graph takes; None is S x S only.

    Raises:
        BackendError: torch.export does not support an operation, or the network branches on the size.
    """
    several = images.expand(max(2, len(images)), -1, -1, -1)  # an example of one image would make the batch size static
    shapes = {0: Dim.DYNAMIC}
    if sizes is not None:
        shapes |= {axis: Dim.DYNAMIC(min=sizes.minimum) for axis in (2, 3)}
        several = several.new_zeros(*several.shape[:2], *sizes.nearest(*EXAMPLE))
    size_one_is_dynamic = symbols.patch(  # type: ignore[attr-defined]
        backed_size_oblivious=sizes is not None  # the deepest map of the smallest image is one pixel
    )
    try:
        with torch.no_grad(), size_one_is_dynamic:
            return torch.export.export(network, (several,), dynamic_shapes=(shapes,))
    except Exception as error:  # torch.export raises any type
        what = "cannot be exported" if sizes is None else "cannot be exported for any size"
        raise BackendError(f"{what}: {str(error).strip().splitlines()[0][:200]}") from error


def validation_sizes(sizes: InputSize, side: int) -> list[tuple[int, int]]:
    """Choose heights and widths to validate: the smallest, random ones (with a fixed seed), and twice `side`."""
    rng = random.Random(0)
    drawn = [(rng.randint(1, 2 * side), rng.randint(1, 2 * side)) for _ in range(RANDOM_SIZES)]
    return list(dict.fromkeys(sizes.nearest(*size) for size in [(1, 1), *drawn, (2 * side, 2 * side)]))
