"""What a network of a plan costs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """The cost of one network for one 3 x 512 x 512 image.

    Attributes:
        parameters: learnable values.
        macs: multiply-accumulates, counted in full.
        macs_thop: as the paper's tool counts.
        images_per_second: at batch 1; None where it was not timed.
        machine: what it was timed on.
        bench: table of the benchmark that timed it, relative to the folder of the pages; "" where none did.
    """

    parameters: int
    macs: int
    macs_thop: int
    images_per_second: float | None
    machine: str
    bench: str = ""
