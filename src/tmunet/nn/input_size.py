"""Input sizes that a network supports, and the error for other images."""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class InputSize:
    """Supported heights and widths of an input image, in pixels.

    Attributes:
        minimum: least height and width.
        multiple: divisor of height and width.
        square: whether height and width must be equal.
        only: the one size of a network with a fixed input, or None.
    """

    minimum: int
    multiple: int = 1
    square: bool = False
    only: int | None = None

    def admits(self, H: int, W: int) -> bool:
        """Return whether an image of this height and width is supported."""
        return self.nearest(H, W) == (H, W) and (not self.square or H == W)

    def nearest(self, H: int, W: int) -> tuple[int, int]:
        """Return the smallest supported size that holds an image of this height and width."""
        if self.only is not None:
            return self.only, self.only
        fitting = [-(-max(side, self.minimum) // self.multiple) * self.multiple for side in (H, W)]
        return (max(fitting), max(fitting)) if self.square else (fitting[0], fitting[1])

    def check(self, x: Tensor, in_channels: int) -> None:
        """Check the shape of an input image.

        Raises:
            ValueError: not (B, in_channels, H, W), or an unsupported size; the message names the nearest one.
        """
        if x.ndim != 4 or x.shape[1] != in_channels:
            raise ValueError(f"Expected an image of shape (B, {in_channels}, H, W), but got {tuple(x.shape)}.")
        H, W = x.shape[2:]
        if not self.admits(H, W):
            fitting = self.nearest(H, W)
            fix = "resize" if self.only is not None else "pad"
            raise ValueError(f"Expected {self}, but got {H} x {W}; {fix} the image to {fitting[0]} x {fitting[1]}.")

    def __str__(self) -> str:
        if self.only is not None:
            return f"height and width of {self.only} pixels"
        parts = [f"height and width of at least {self.minimum} pixels"]
        if self.multiple > 1:
            parts.append(f"divisible by {self.multiple}")
        if self.square:
            parts.append("equal to each other")
        return ", ".join(parts)


def input_size_of(network: nn.Module) -> InputSize:
    """Return the `input_size` of a network; without that attribute, any size is supported."""
    sizes: InputSize = getattr(network, "input_size", InputSize(minimum=1))
    return sizes
