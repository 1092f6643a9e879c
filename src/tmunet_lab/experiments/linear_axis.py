"""A straight axis, beside the logarithmic one of the benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass

from tmunet.report.charts import axis


@dataclass(frozen=True)
class LinearAxis:
    """An axis that begins and ends on a round number.

    Attributes:
        low: value at its start.
        high: value at its end.
        start: pixel of `low`.
        end: pixel of `high`.
        marks: round values in range.
    """

    low: float
    high: float
    start: float
    end: float
    marks: Sequence[float]

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float) -> "LinearAxis":
        """The smallest such axis that covers the values."""
        low, high, marks = axis(min(values), max(values))
        return cls(low, high, start, end, marks)

    def at(self, value: float) -> float:
        """The pixel of a value.

        >>> LinearAxis.around([2, 9], 0, 100).at(5)
        37.5
        """
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """The round values."""
        return list(self.marks)
