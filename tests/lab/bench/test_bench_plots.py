"""Plots: what they show, labels that cover nothing, and files that are the same each time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tmunet_lab.bench.bench_plots import cost_plot, scaling_plot
from tmunet_lab.bench.measure import Measurement
from tmunet_lab.bench.scaling import ScalingPoint
from tmunet_lab.bench.timing import Quartiles
from tmunet_lab.plots import save, style

pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def in_style() -> Iterator[None]:
    with style():
        yield


def timed(network: str, macs: int, seconds: float, parameters: int = 1_000_000) -> Measurement:
    spread = Quartiles(seconds, seconds * 0.9, seconds * 1.2, 5)
    conditions = ("torch", "cpu", "float32", "Prediction")
    return Measurement(network, 512, 2, *conditions, parameters, 4 * parameters, macs=macs, seconds=spread)  # type: ignore[arg-type]


def artists(figure: Any, gid: str) -> list[Any]:
    return figure.findobj(lambda artist: artist.get_gid() == gid)  # type: ignore[no-any-return]


def test_a_bubble_lies_at_macs_and_images_per_second_with_an_area_of_parameters() -> None:
    figure = cost_plot([timed("tmunet_b", 6 * 10**9, 0.1), timed("unet", 10**11, 0.8, 4_000_000)], "somewhere")
    (small,), (large,) = artists(figure, "bubble tmunet_b"), artists(figure, "bubble unet")
    assert small.get_offsets().tolist() == [[6.0, 20.0]]
    assert large.get_offsets().tolist() == [[100.0, 2.5]]
    assert large.get_sizes()[0] == pytest.approx(4 * small.get_sizes()[0])
    assert (figure.axes[0].get_xscale(), figure.axes[0].get_yscale()) == ("log", "log")


def test_labels_of_a_crowd_cover_no_label_and_no_bubble() -> None:
    from matplotlib.text import Annotation, Text

    figure = cost_plot([timed(f"network_number_{index}", 10**9 + index, 0.1) for index in range(24)], "somewhere")
    figure.draw_without_rendering()
    notes = [note for note in figure.axes[0].texts if isinstance(note, Annotation)]
    boxes = [Text.get_window_extent(note) for note in notes]
    assert {note.get_text() for note in notes} == {f"network_number_{index}" for index in range(24)}
    assert all(not a.padded(-1).overlaps(b) for index, a in enumerate(boxes) for b in boxes[:index])
    assert all(
        figure.axes[0].get_window_extent().x0 <= box.x0 and box.x1 <= figure.axes[0].get_window_extent().x1
        for box in boxes
    )
    assert any(note.arrow_patch is not None for note in notes)  # one that is far away has a line to its bubble


def test_scaling_has_a_line_in_each_panel_for_each_network_that_was_run() -> None:
    points = [ScalingPoint("ulite", n, 9 * n * n, 3 * n * n, Quartiles(n * n / 1e6, 0.0, 1.0, 3)) for n in (64, 128)]
    figure = scaling_plot([*points, ScalingPoint("unet", 64, note="not run: ...")], "somewhere")
    latency, memory = artists(figure, "line ulite")
    assert latency.get_xydata().tolist() == [[64, pytest.approx(4.096)], [128, pytest.approx(16.384)]]
    assert memory.get_xydata().tolist() == [[64, pytest.approx(0.036864)], [128, pytest.approx(0.147456)]]
    assert [axes.get_legend().get_texts()[0].get_text() for axes in figure.axes] == ["ulite  1.00"] * 2
    assert artists(figure, "line unet") == []


def test_files_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    def write(folder: Path) -> list[bytes]:
        folder.mkdir()
        figure = cost_plot([timed("tmunet_b", 6 * 10**9, 0.1), timed("<b>&", 10**11, 0.8)], "somewhere")
        return [file.read_bytes() for file in save(figure, folder / "bench")]

    svg, pdf = first = write(tmp_path / "first")
    assert first == write(tmp_path / "second")
    assert b"<b>" not in svg
    assert b"&lt;b&gt;&amp;" in svg
    assert pdf.startswith(b"%PDF")
