import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from tmunet.report.text_layout import ELLIPSIS, ellipsize, escape_control, fits_width, to_ascii, wrap

hostile = st.text(st.characters(codec=None), max_size=60)


@given(hostile)
def test_legible_text_can_be_written_and_hides_nothing(text):
    shown = escape_control(text)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert escape_control(shown) == shown


@given(hostile)
def test_the_font_of_pillow_has_every_letter_of_drawable_text(text):
    assert set(to_ascii(text)) <= {*map(chr, range(32, 127)), ELLIPSIS, "·"}


def test_the_letters_that_are_drawn_are_not_the_box_of_a_missing_one():
    font = ImageFont.load_default(40)
    box = np.array(font.getmask("\uffff"))
    for letter in (*map(chr, range(33, 127)), ELLIPSIS, "·"):
        assert not np.array_equal(np.array(font.getmask(letter)), box), letter


@given(st.text("abc def", max_size=40), st.integers(1, 30))
def test_a_shortened_text_fits_and_keeps_as_much_of_both_ends_as_there_is_room_for(text, room):
    short = ellipsize(text, lambda line: len(line) <= room)
    assert len(short) == min(len(text), room)
    if short != text:
        head, tail = short.split(ELLIPSIS)
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(head) - len(tail) in (0, 1)


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=20), max_size=12), st.integers(2, 12), st.integers(1, 5))
def test_wrapped_lines_fit_and_hold_the_text_in_its_order(words, room, lines):
    text = " ".join(words)
    broken = wrap(text, lambda line: len(line) <= room, lines)
    assert len(broken) <= lines
    assert all(0 < len(line) <= room for line in broken)
    letters = "".join(broken).replace(" ", "")
    if letters.endswith(ELLIPSIS):
        assert text.replace(" ", "").startswith(letters[:-1])
    else:
        assert letters == text.replace(" ", "")


@pytest.mark.parametrize("width", [60, 100, 240])
def test_widths_are_measured_in_pixels_of_the_font(width):
    font = ImageFont.load_default(15)
    short = ellipsize("a_long_name_of_a_case_" * 5, fits_width(font, width))
    assert font.getlength(short) <= width
    assert font.getlength(short.replace(ELLIPSIS, "mm" + ELLIPSIS)) > width
    lines = wrap("many words " * 20, fits_width(font, width), 4)
    assert len(lines) == 4
    assert all(font.getlength(line) <= width for line in itertools.chain(lines, [short]))
