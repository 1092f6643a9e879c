from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tmunet.data.io.masks import read_mask
from tmunet.errors import DataError, InputError
from tmunet.files import write_json
from tmunet.report.contact_sheet import ALARM_PAPER, GAP, MARGIN, THUMBNAIL, draw_cells, draw_sheet, write_sheet
from tmunet.report.overview import read_overview
from tmunet.report.select import spread
from tmunet.visualize import color


def sheet_of(folder, count=100):
    overview = read_overview(folder)
    cells = draw_cells(overview, overview.cases[:count])
    return np.asarray(draw_sheet(overview, cells, len(overview.cases), overview.info.name)), cells


def has(sheet, rgb):
    return bool((sheet == rgb).all(axis=-1).any())


def test_a_glance_sees_shares_groups_and_the_split(make_dataset):
    data = make_dataset(train=5, val=2, test=1, classes=3)
    entry = {"name": "discs", "classes": ["background", "a", "b"], "cases": {"case1": {"group": "patient 7"}}}
    write_json(data / "dataset.json", entry)
    seen = read_overview(data)
    assert [case.case.name for case in seen.cases] == [f"case{i}" for i in range(8)]
    assert seen.split.val == ("case5", "case6")
    assert seen.faults == ()
    assert [case.case.group for case in seen.cases][:3] == [None, "patient 7", None]
    for case in seen.cases:
        mask = read_mask(case.case.mask, ("background", "a", "b"))
        assert case.shares == {"a": (mask == 1).mean(), "b": (mask == 2).mean()}
        assert case.foreground == pytest.approx((mask > 0).mean())


def test_every_class_is_in_the_legend_and_on_a_thumbnail(make_dataset):
    data = make_dataset(train=6, val=0, test=0, classes=4)
    sheet, cells = sheet_of(data)
    assert [cell.picture.size for cell in cells] == [(48, 48)] * 6
    for label in (1, 2, 3):
        assert has(sheet[:130], color(label))
        assert has(sheet[130:], color(label))


def test_a_faulty_case_has_a_cell_with_the_reason_and_the_others_are_drawn(make_dataset):
    data = make_dataset(train=6, val=0, test=0)
    sound, _ = sheet_of(data)
    (data / "images" / "case0.png").write_bytes(b"")
    (data / "masks" / "case1.png").unlink()
    Image.new("L", (48, 48), 77).save(data / "masks" / "case2.png")
    Image.new("L", (9, 48)).save(data / "masks" / "case3.png")
    sheet, cells = sheet_of(data)
    assert not has(sound, ALARM_PAPER)
    assert has(sheet, ALARM_PAPER)
    reasons = ("the file is empty", "has no mask", "77 (2,304 pixels)", "the mask has 9 x 48 pixels")
    assert [reason in str(cell.fault) for cell, reason in zip(cells, reasons, strict=False)] == [True] * 4
    assert [cell.picture is None for cell in cells] == [True] * 4 + [False] * 2


def test_damaged_json_files_are_faults_and_the_sheet_is_drawn(make_dataset):
    data = make_dataset(train=4, val=1, test=1)
    (data / "split.json").write_text("{")
    (data / "dataset.json").write_text('{"classes": 3}')
    seen = read_overview(data)
    assert len(seen.faults) == 2
    assert seen.split is None
    assert seen.info.classes == ("background", "foreground")
    assert sheet_of(data)[0].ndim == 3


def test_there_is_no_sheet_without_images(tmp_path):
    with pytest.raises(DataError):
        read_overview(tmp_path)


@pytest.mark.parametrize("count", [1, 2, 5, 24])
def test_cells_are_equal_and_the_sheet_holds_them_all(make_dataset, count):
    data = make_dataset(train=24, val=0, test=0, side=24)
    Image.new("RGB", (700, 350), (255, 0, 255)).save(data / "images" / "case0.png")
    Image.new("L", (700, 350)).save(data / "masks" / "case0.png")
    sheet, cells = sheet_of(data, count)
    assert cells[0].picture.size == (THUMBNAIL, THUMBNAIL // 2)
    top, left = np.argwhere((sheet == (255, 0, 255)).all(axis=-1)).min(axis=0)
    across, columns = THUMBNAIL + GAP, (sheet.shape[1] - 2 * MARGIN + GAP) // (THUMBNAIL + GAP)
    assert (sheet.shape[1] - 2 * MARGIN + GAP) % across == 0
    bottoms = [top - 1 + THUMBNAIL // 2 + row * (THUMBNAIL // 2 + 46 + GAP) for row in range(-(-count // columns))]
    frames = [(bottom - 1, left - 1 + column * across) for bottom in bottoms for column in range(columns)]
    assert [tuple(sheet[place]) == (205, 211, 217) for place in frames[:count]] == [True] * count
    assert [tuple(sheet[place]) == (255, 255, 255) for place in frames[count:]] == [True] * (len(frames) - count)


def test_hostile_names_are_drawn(make_dataset):
    data = make_dataset(train=3, val=0, test=0)
    name = "患者\n\u202e" + "x" * 120
    for sub in ("images", "masks"):
        (data / sub / "case0.png").rename(data / sub / f"{name}.png")
    (data / "split.json").unlink()
    write_json(data / "dataset.json", {"name": name, "classes": ["background", name], "cases": {name: {"group": name}}})
    sheet, cells = sheet_of(data)
    assert len(cells) == 3
    assert (sheet[:, -MARGIN // 2 :] == 255).all()  # nothing runs over the edge


def test_a_sheet_is_written_as_png(make_dataset, tmp_path):
    seen = read_overview(make_dataset(train=3, val=0, test=0))
    picture = draw_sheet(seen, draw_cells(seen, seen.cases), 3, "discs")
    write_sheet(tmp_path / "new" / "sheet.png", picture)
    with Image.open(tmp_path / "new" / "sheet.png") as read:
        assert read.format == "PNG"
        assert np.array_equal(np.asarray(read), np.asarray(picture))
    assert [path.name for path in Path(tmp_path / "new").iterdir()] == ["sheet.png"]


@given(st.integers(1, 200), st.integers(1, 60), st.integers(0, 5))
def test_a_spread_is_in_order_even_and_reproducible(total, count, seed):
    ranked = list(range(total))
    chosen = spread(ranked, count, seed)
    assert chosen == spread(ranked, count, seed) == sorted(set(chosen))
    assert len(chosen) == min(count, total)
    if 3 <= count < total:
        assert (chosen[0], chosen[-1]) == (0, total - 1)
        step = (total - 2) / (count - 2)
        inner = chosen[1:-1]
        assert all(1 + i * step - 1 <= place < 1 + (i + 1) * step for i, place in enumerate(inner))


def test_another_seed_spreads_over_others():
    assert len({tuple(spread(range(100), 8, seed)) for seed in range(5)}) == 5
    with pytest.raises(InputError, match="`count`"):
        spread("abc", 0)
