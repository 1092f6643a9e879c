"""Counters of a server in the text format of Prometheus (exposition format 0.0.4)."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
IMAGES = (1, 2, 4, 8)


class Histogram:
    r"""Count values by upper bounds.

    >>> sizes = Histogram("batch", "Images in a batch.", (1, 2))
    >>> sizes.observe(2)
    >>> print(*sizes.lines(), sep="\n")
    # HELP batch Images in a batch.
    # TYPE batch histogram
    batch_bucket{le="1"} 0
    batch_bucket{le="2"} 1
    batch_bucket{le="+Inf"} 1
    batch_sum 2
    batch_count 1
    """

    def __init__(self, name: str, meaning: str, bounds: Sequence[float]) -> None:
        self.name, self.meaning, self.bounds = name, meaning, bounds
        self._counts, self._sum = [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self._sum += value

    def lines(self) -> list[str]:
        """Return the lines of the text format."""
        total, lines = 0, _heading(self.name, self.meaning, "histogram")
        for bound, count in zip([*map("{:g}".format, self.bounds), "+Inf"], self._counts, strict=True):
            total += count
            lines.append(f'{self.name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{self.name}_sum {self._sum:g}", f"{self.name}_count {total}"]


class ServerMetrics:
    """Metrics of a server.

    Args:
        in_progress: returns the number of requests in progress.
    """

    def __init__(self, in_progress: Callable[[], int]) -> None:
        self._in_progress = in_progress
        self._requests: Counter[tuple[str, int]] = Counter()
        self._images: Counter[str] = Counter()
        self.seconds = Histogram("tmunet_request_seconds", "Time of a request, the upload included.", SECONDS)
        self.batches = Histogram("tmunet_batch_images", "Images in a batch of the network.", IMAGES)

    def count_request(self, route: str, status: int) -> None:
        """Count a response by its route and status."""
        self._requests[route, status] += 1

    def count_image(self, model: str) -> None:
        """Count an image that a model segmented."""
        self._images[model] += 1

    def text(self) -> str:
        """Return all metrics in the text format."""
        lines = [
            *_heading("tmunet_requests_total", "Responses by route and status.", "counter"),
            *(
                f'tmunet_requests_total{{route="{route}",status="{status}"}} {count}'
                for (route, status), count in sorted(self._requests.items())
            ),
            *_heading("tmunet_images_total", "Images that were segmented, by model.", "counter"),
            *(f'tmunet_images_total{{model="{model}"}} {count}' for model, count in sorted(self._images.items())),
            *_heading("tmunet_requests_in_progress", "Requests in progress.", "gauge"),
            f"tmunet_requests_in_progress {self._in_progress()}",
            *self.seconds.lines(),
            *self.batches.lines(),
        ]
        return "\n".join(lines) + "\n"


def _heading(name: str, meaning: str, kind: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
