"""Axes and labels of the pictures."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tmunet_lab.bench.label_placement import Box, Bubble, place_labels
from tmunet_lab.bench.svg import LogAxis, document, frame, text

AREA = Box(0, 0, 900, 500)


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=9))
def test_an_axis_holds_its_values_in_order(values: list[float]) -> None:
    axis = LogAxis.around(values, 50, 450)
    places = [axis.at(value) for value in sorted(values)]
    assert places == sorted(places)
    assert min(places) > 50
    assert max(places) < 450
    ticks = axis.ticks()
    assert ticks == sorted(set(ticks))
    assert all(axis.low <= tick <= axis.high for tick in ticks)


def test_numbers_that_would_lie_on_each_other_are_left_out() -> None:
    x, y = LogAxis(100, 2000, 0, 100), LogAxis(1, 10, 100, 0)
    drawn = "".join(frame(x, y, "pixels", "ms", x_ticks=[256, 1024, 1280, 1536]))
    assert [number for number in ("256", "1024", "1280", "1536") if f">{number}<" in drawn] == ["256", "1024"]


def test_words_are_not_markup() -> None:
    assert "<b>" not in document(10, 10, 'a "<b>" title', [text(0, 0, "<b>&")])
    assert "&lt;b&gt;&amp;" in text(0, 0, "<b>&")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(60, 840), st.floats(60, 440), st.floats(2, 26), st.text("abcdef_", min_size=3, max_size=18)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_labels_stay_in_the_picture(drawn: list[tuple[float, float, float, str]]) -> None:
    bubbles = [Bubble(*values) for values in drawn]
    places = place_labels(bubbles, AREA)
    assert len(places) == len(bubbles)
    assert all(AREA.holds(place) for place in places)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=16, unique=True))
def test_labels_lie_on_nothing_where_there_is_room(cells: list[tuple[int, int]]) -> None:
    bubbles = [Bubble(170.0 * column, 100.0 * row, 10.0, "rolling_unet_m") for column, row in cells]
    boxes = [*place_labels(bubbles, AREA), *(bubble.box for bubble in bubbles)]
    assert all(a.overlap(b) == 0 for index, a in enumerate(boxes) for b in boxes[:index])


def test_a_crowd_covers_least() -> None:
    bubbles = [Bubble(450, 250, 10, f"network_{index}") for index in range(8)]
    places = place_labels(bubbles, AREA)
    assert all(a.overlap(b) == 0 for index, a in enumerate(places) for b in places[:index])
