"""A graph for images of any size that its network takes, and the sizes at which it is checked.

A graph keeps what the network's code did with the example. Where it asks whether a length divides, or whether there is more than
one chunk, the answer for the example is taken for all images. So the example is one for which no short cut holds, and the graph
is compared with the network at sizes drawn at random, where a short cut that was taken shows.
"""

import random

import torch
import torch.fx.experimental._config as symbols
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from tmunet.errors import BackendError
from tmunet.nn.input_size import InputSize, input_size_of

EXAMPLE = (264, 328)  # halved five times: sides of 33 to 9 and 41 to 11, which no power of two divides
DRAWN = 8  # sizes


def sizes_of(network: nn.Module) -> InputSize:
    """The sizes that a network takes, where there is more than one.

    Raises:
        BackendError: it was built for one size.
    """
    sizes = input_size_of(network)
    if sizes.only is not None:
        raise BackendError(f"cannot take images of any size: the network was built for a {sizes}; leave --size out")
    return sizes


def traced(network: nn.Module, images: Tensor, sizes: InputSize | None) -> ExportedProgram:
    """The graph of a network in eval mode, for any number of images.

    Args:
        network: maps images (B, C, H, W) to logits (B, K, H, W).
        images: an example (B, C, S, S).
        sizes: that the graph takes; None is S x S alone.

    Raises:
        BackendError: an operation is not known, or the network does something else at another size.
    """
    several = images.expand(max(2, len(images)), -1, -1, -1)  # an example of one image would make one the only number
    shapes = {0: Dim.DYNAMIC}
    if sizes is not None:
        shapes |= {axis: Dim.DYNAMIC(min=sizes.minimum) for axis in (2, 3)}
        several = several.new_zeros(*several.shape[:2], *sizes.nearest(*EXAMPLE))
    one_is_like_others = symbols.patch(  # type: ignore[attr-defined]
        backed_size_oblivious=sizes is not None  # the deepest map of the smallest image is one pixel
    )
    try:
        with torch.no_grad(), one_is_like_others:
            return torch.export.export(network, (several,), dynamic_shapes=(shapes,))
    except Exception as error:  # whatever the exporter stumbles over
        what = "cannot be exported" if sizes is None else "cannot be exported for any size"
        raise BackendError(f"{what}: {str(error).strip().splitlines()[0][:200]}") from error


def checked_sizes(sizes: InputSize, side: int) -> list[tuple[int, int]]:
    """Height and width of the smallest image, of some drawn at random, and of one of twice `side`; the same each time."""
    draw = random.Random(0)
    drawn = [(draw.randint(1, 2 * side), draw.randint(1, 2 * side)) for _ in range(DRAWN)]
    return list(dict.fromkeys(sizes.nearest(*size) for size in [(1, 1), *drawn, (2 * side, 2 * side)]))
