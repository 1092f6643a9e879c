import base64
import io
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tmunet.check.findings import CaseFacts, CheckReport, Finding
from tmunet.check.run import check_dataset
from tmunet.data.cases import DatasetInfo, find_cases
from tmunet.data.io.masks import class_fractions
from tmunet.data.reader import load_case
from tmunet.data.split.leakage import Comparison, Leak, LeakReport
from tmunet.data.split.splits import Split
from tmunet.report.check_page import DRAWN, SAMPLE, portions, render_check, write_check_page
from tmunet.report.dataset_facts import facts, verdict
from tmunet.report.histogram import BINS, histogram

from .test_report_browser import CHROMIUM, browse

INFO = DatasetInfo("discs")


def report_of(folder, findings=(), info=INFO, **fields):
    cases = []
    for case in find_cases(folder)[0]:
        loaded = load_case(case, info)
        height, width, channels = loaded.image.shape
        bits = 8 * loaded.image.dtype.itemsize
        cases.append(
            CaseFacts(case.name, None, width, height, channels, bits, class_fractions(loaded.mask, info.classes))
        )
    given = {
        "folder": folder,
        "info": info,
        "findings": tuple(findings),
        "cases": tuple(cases),
        "files": 2 * len(cases),
    }
    return CheckReport(**{**given, "split": None, "leaks": None, **fields})


def finding(kind="specks", severity="warning", cases=(), files=(), message="found it", mend="mend it", fixable=False):
    return Finding(kind, severity, message, mend, tuple(files), tuple(cases), fixable)


class Tags(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in ("td", "th", "text", "title"):
            self.text.append(" ")

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def words(page):
    return " ".join("".join(Tags(page).text).split())


def pictures(page):
    return [attributes for tag, attributes in Tags(page).tags if tag == "img"]


def test_a_sound_data_set_shows_its_facts_and_its_cases(make_dataset):
    data = make_dataset(train=6, val=1, test=1)
    split = Split(("case0", "case1"), (), ("case2",))
    page = render_check(report_of(data, split=split, leaks=LeakReport(())))
    shown = words(page)
    assert "Nothing is wrong with this data set. 0 faults 0 warnings 0 notes" in shown
    assert "Size all 48 × 48 pixels (width × height)" in shown
    assert "Channels RGB Bits 8 bits Groups none are known" in shown
    assert "Split 2 train, 0 val, 1 test" in shown
    assert "Leaks No group and no near twin lies on two sides" in shown
    assert "8 of 8 cases without a fault or a warning" in shown
    assert len(pictures(page)) == 8
    for attributes in pictures(page):
        content = base64.b64decode(attributes["src"].removeprefix("data:image/jpeg;base64,"))
        assert Image.open(io.BytesIO(content)).size == (int(attributes["width"]), int(attributes["height"])) == (48, 48)
        assert re.fullmatch(r"case\d: the image with the outline of its mask", attributes["alt"])


def test_the_page_is_whole_and_asks_for_nothing(make_dataset):
    data = make_dataset()
    parsed = Tags(render_check(report_of(data, [finding(cases=["case0"])])))
    assert parsed.open == []
    assert not {"script", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    links = [value for _, attributes in parsed.tags for key, value in attributes.items() if key in ("src", "href")]
    assert all(link.startswith(("data:", "#")) for link in links)
    identities = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(identities) == len(set(identities))
    assert {link[1:] for link in links if link.startswith("#")} <= set(identities)


def test_findings_stand_by_kind_with_the_worst_first(make_dataset):
    data = make_dataset()
    found = [
        finding("empty", "note", ["case5"]),
        finding("rotated", "warning", ["case1"], ["images/case1.png"], fixable=True),
        finding("damaged", "fault", ["case2"], ["images/case2.png"], mend="Copy it: `cp A B`."),
        finding("rotated", "warning", ["case3"], ["images/case3.png"], mend="turn it"),
    ]
    page = render_check(report_of(data, found))
    shown = words(page)
    assert "refuse this data set until 1 fault is mended. 1 fault 2 warnings 1 note" in shown
    assert "fault damaged 1 warning rotated 2 note empty 1" in shown
    assert "Copy it: <code>cp A B</code>." in page
    assert "What to do: mend it turn it" in shown
    assert "tmunet check DATA --fix COPY mends, or sets aside, 1 of them in a copy." in shown
    assert "9 of 9 cases without a fault or a warning" in shown  # a note does not make a case unsound


def test_a_pair_is_drawn_side_by_side_and_leaks_as_their_pairs(make_dataset):
    data = make_dataset()
    leaks = LeakReport((Comparison("test", "train", 2, (Leak("case8", "case1", 0.98765, "patient 3"),)),))
    found = [
        finding("near-duplicate", cases=["case0", "case1"], message="correlation 0.999"),
        finding("leak", cases=["case8"]),
    ]
    page = render_check(report_of(data, found, split=Split(("case1",), (), ("case8",)), leaks=leaks))
    pairs = [re.findall(r"<b>(.+?)</b>", part.split("</p>")[0]) for part in page.split('class="together"')[1:]]
    assert pairs == [["case0", "case1"], ["case8", "case1"]]
    assert "test and train: correlation 0.988, both of patient 3" in words(page)


def test_a_case_that_cannot_be_drawn_shows_what_is_left_of_it_and_why(make_dataset):
    data = make_dataset(train=4, val=0, test=0)
    report = report_of(data, [finding(cases=["case0"]), finding("gray", cases=["case1"]), finding("gone", cases=["x"])])
    (data / "images" / "case0.png").write_bytes(b"")
    Image.fromarray(np.tile(np.arange(48, dtype=np.uint8), (48, 1))).save(data / "masks" / "case1.png")
    page = render_check(report)
    assert "images/case0.png: the file is empty (0 bytes)" in words(page)
    assert "masks/case1.png: expected a mask of background and foreground" in words(page)
    assert "There is no image of this name." in words(page)
    alts = [attributes["alt"] for attributes in pictures(page)]
    assert alts[:3] == [f"case{i}: the {role} as it is stored" for i, role in ((0, "mask"), (1, "image"), (1, "mask"))]


HOSTILE = "<img src=x onerror=alert(1)>\"'&{{ 7 * 7 }}\n\u202e"


def test_names_and_messages_are_text_and_never_markup(make_dataset, tmp_path):
    data = make_dataset(train=3, val=0, test=0)
    name = HOSTILE.replace("/", "")
    for sub in ("images", "masks"):
        (data / sub / "case0.png").rename(data / sub / f"{name}.png")
    info = DatasetInfo(HOSTILE, ("background", HOSTILE))
    bad = finding(HOSTILE, cases=[name], files=[f"images/{name}.png"], message=f"`{HOSTILE}`", mend=HOSTILE)
    undecodable = finding(cases=["\udcff"], files=["images/\udcff.png"])
    write_check_page(tmp_path / "page.html", report_of(data, [bad, undecodable], info))
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert all(attributes["src"].startswith("data:image/jpeg;base64,") for attributes in pictures(page))
    assert "onerror=alert(1)>\"'&{{ 7 * 7 }}\\n\\u202e" in words(page)
    assert "images/\\udcff.png" in words(page)


def test_long_lists_are_cut_and_what_is_left_out_is_counted(make_dataset):
    data = make_dataset(train=30, val=0, test=0, side=16)
    names = [f"case{i}" for i in range(30)]
    files = [f"images/{i}.png" for i in range(250)]
    found = [finding(f"kind {k}", cases=[name]) for k in range(6) for name in names]
    found += [finding("many", files=files), *(finding("each", files=[file]) for file in files)]
    page = render_check(report_of(data, found))
    assert len(pictures(page)) <= DRAWN + SAMPLE
    assert words(page).count("Not drawn, so that this page stays small: 9 more pictures.") == 6
    assert "and 150 more" in words(page)
    assert "And 150 more findings of this kind" in words(page)
    assert page.count("images/99.png") == 2
    assert "images/100.png" not in page
    assert "There are none." in words(page)  # no sound case


@given(st.lists(st.integers(0, 60), max_size=12), st.integers(0, 150))
def test_portions_are_fair(wanted, total):
    got = portions(wanted, total)
    assert all(0 <= mine <= want for mine, want in zip(got, wanted, strict=True))
    assert sum(got) == min(total, sum(wanted))
    short = [mine for mine, want in zip(got, wanted, strict=True) if mine < want]
    assert not short or max(got) - min(short) <= 1


def facts_of(name, group=None, size=(10, 20), channels=1, bits=8, shares=None):
    return CaseFacts(name, group, *size, channels, bits, {"foreground": 0.5} if shares is None else shares)


def test_facts_say_in_what_the_cases_differ(tmp_path):
    cases = (
        facts_of("a", "p1"),
        facts_of("b", "p1", (30, 20), 3),
        facts_of("c", "p2", (30, 20), 4, 16),
        facts_of("d"),
    )
    report = CheckReport(tmp_path, DatasetInfo("x", ignore_label=255), (), cases, 8, Split(("a",)), None)
    said = facts(report)
    assert said["Size"] == "2 sizes, 10 × 20 to 30 × 20 pixels (width × height)"
    assert said["Channels"] == "gray in 2 cases, RGB in 1 case, 4 channels in 1 case"
    assert said["Bits"] == "8 bits in 3 cases, 16 bits in 1 case"
    assert said["Groups"] == "2, 1 to 2 cases each; 1 case without one"
    assert said["Ignored"].startswith("pixels of the value 255")
    assert said["Leaks"] == "Not looked for"
    assert verdict(report) == "Nothing is wrong with this data set."


def test_nothing_is_said_of_shares_that_are_not_known(make_dataset):
    data = make_dataset(train=3, val=0, test=0)
    report = report_of(data)
    blind = tuple(CaseFacts(c.name, None, c.width, c.height, 3, 8, {}) for c in report.cases)
    page = render_check(report_of(data, [finding(cases=["case0"])], cases=blind))
    assert "2 of 2 cases without a fault" in words(page)
    assert "Share of marked pixels" not in page
    assert "foreground – – –" in words(page)
    assert "case0 48 × 48" in words(page)


@given(st.lists(st.floats(1e-9, 1) | st.just(0.0), min_size=1, max_size=80))
def test_a_histogram_counts_every_case_once(shares):
    chart = histogram(shares)
    assert sum(bar.count for bar in chart.bars) == len(shares)
    assert max(bar.height for bar in chart.bars) == 100
    assert all(0 <= bar.x <= bar.x + bar.width <= 100 + 1e-9 for bar in chart.bars)
    assert len(chart.bars) <= BINS + 1
    assert (chart.ticks[0].label == "empty") == (0.0 in shares)


def test_a_mask_without_a_file_is_no_picture(make_dataset):
    data = make_dataset(train=3, val=0, test=0)
    report = report_of(data, [finding(cases=["case0"])])
    (data / "masks" / "case0.png").unlink()
    assert "has no mask" in words(render_check(report))


def test_a_histogram_of_known_shares():
    chart = histogram([0.0, 0.0, 0.01, 0.19, 0.4])
    assert [bar.count for bar in chart.bars] == [2, 1, 1, 1]
    assert [tick.label for tick in chart.ticks] == ["empty", "0 %", "10 %", "20 %", "30 %", "40 %"]
    assert histogram([]) is None


def test_a_checked_data_set_becomes_a_page(make_dataset, tmp_path):
    data = make_dataset()
    for sub in ("images", "masks"):
        shutil.copy(data / sub / "case0.png", data / sub / "case11.png")
    (data / "images" / "case5.png").write_bytes(b"")
    report = check_dataset(data)
    write_check_page(tmp_path / "new" / "page.html", report)
    page = (tmp_path / "new" / "page.html").read_text("utf-8")
    assert report.count("fault") == 1
    for found in report.findings:
        assert found.kind in words(page)
        assert all(file in page for file in found.files)


@pytest.mark.skipif(CHROMIUM is None, reason="needs the browser chromium")
def test_the_page_is_drawn_without_a_console_message(make_dataset, tmp_path):
    page = tmp_path / "page.html"
    write_check_page(page, report_of(make_dataset(), [finding(HOSTILE, cases=["case0", "case1"])]))
    browse(page, tmp_path, f"--screenshot={tmp_path / 'page.png'}")
    pixels = np.asarray(Image.open(tmp_path / "page.png").convert("RGB"))
    assert pixels[:300].std() > 5  # the verdict
    assert pixels[700:].std() > 10  # the pictures
