"""Which images a network takes, and the error for the others."""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class InputSize:
    """The heights and widths that a network takes, in pixels.

    Attributes:
        minimum: of both.
        multiple: both are divisible by it.
        square: whether they must be equal.
        only: the one size that the network was built for, or None.
    """

    minimum: int
    multiple: int = 1
    square: bool = False
    only: int | None = None

    def admits(self, H: int, W: int) -> bool:
        """Say whether an image of this height and width is taken."""
        return self.nearest(H, W) == (H, W) and (not self.square or H == W)

    def nearest(self, H: int, W: int) -> tuple[int, int]:
        """Give the smallest size that is taken and holds an image of this height and width."""
        if self.only is not None:
            return self.only, self.only
        fitting = [-(-max(side, self.minimum) // self.multiple) * self.multiple for side in (H, W)]
        return (max(fitting), max(fitting)) if self.square else (fitting[0], fitting[1])

    def check(self, x: Tensor, in_channels: int) -> None:
        """Refuse an image that the network does not take.

        Raises:
            ValueError: not (B, in_channels, H, W), or a size that does not fit; the message names one that does.
        """
        if x.ndim != 4 or x.shape[1] != in_channels:
            raise ValueError(f"Expected an image of shape (B, {in_channels}, H, W), but got {tuple(x.shape)}.")
        H, W = x.shape[2:]
        if not self.admits(H, W):
            fitting = self.nearest(H, W)
            mend = "resize" if self.only is not None else "pad"
            raise ValueError(f"Expected {self}, but got {H} x {W}; {mend} the image to {fitting[0]} x {fitting[1]}.")

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
    """Give the sizes that a network says it takes; one from elsewhere that says nothing is taken at its word: any."""
    sizes: InputSize = getattr(network, "input_size", InputSize(minimum=1))
    return sizes
