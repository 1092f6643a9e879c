import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from tmunet.errors import InputError
from tmunet.report import Report, render, write_report
from tmunet.report.report_text import misses
from tmunet.report.select import RULE

from .report_samples import METRICS, case_of, disc, make_report, row_of, summary_of

VOID = {"meta", "link", "img", "br"}
HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Reads a page, fails on tags that do not nest, and keeps elements, text and table rows."""

    def __init__(self, html):
        super().__init__()
        self.open, self.elements, self.text, self.rows = [], [], "", []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open or "script" in self.open:
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def words(self):
        return " ".join(self.text.split())

    def row(self, first):
        return next([cell.strip() for cell in row] for row in self.rows if row[0].strip() == first)


def test_sections_come_in_order_under_one_title():
    page = Page(render(make_report()))
    ids = [attributes["id"] for attributes in page.all("section")]
    assert ids == ["headline", "scores", "distribution", "cases", "training", "images", "provenance"]
    assert len(page.all("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.words().endswith("Research software, not a medical device.")


def test_nothing_is_fetched_from_outside():
    html = render(make_report())
    page = Page(html)
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    assert "//" not in re.sub(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+|// .*", "", html)
    assert "url(" not in html
    assert "@import" not in html
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")


def test_links_of_the_page_lead_somewhere():
    page = Page(render(make_report()))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"].removeprefix("#") for link in page.all("a") + page.all("use")} <= set(ids)


def test_pictures_have_words_and_a_reserved_size():
    report = make_report()
    page = Page(render(report))
    pictures = [attributes for attributes in page.all("svg") if "viewbox" in attributes and "role" in attributes]
    assert len(pictures) == 4 * len(report.cases) == len(page.all("image")) == 36
    assert len(page.all("use")) == 2 * len(report.cases)
    for picture in pictures:
        assert picture["aria-label"].startswith("image-")
        assert (picture["width"], picture["height"], picture["viewbox"]) == ("56", "40", "0 0 56 40")


def test_the_headline_is_the_mean_with_its_interval_and_the_failures():
    report = make_report()
    dice = report.summaries["polyp"]["metrics"]["dice"]
    words = Page(render(report)).words()
    assert f"{dice['mean']:.3f} mean Dice over 12 images" in words
    assert f"95 % interval {dice['low']:.3f} to {dice['high']:.3f}" in words
    assert "Missed in 1 of 12 images" in words
    assert "False alarm in 1 of 12 images" in words


def test_where_groups_were_drawn_the_page_says_so():
    report = make_report()
    over = "over 5 groups (video sequence, patient, slide) of 12 images"
    assert over not in Page(render(report)).words()
    words = Page(render(replace(report, summaries={"polyp": {**report.summaries["polyp"], "n_groups": 5}}))).words()
    assert re.search(rf"95 % interval 0\.\d+ to 0\.\d+ {re.escape(over)}", words)
    assert f"The interval is that of the mean {over}." in words


def test_the_headline_of_several_classes_draws_groups():
    rows, cases = [], []
    for index in range(6):
        truth = disc(20, 15, 8) + 2 * disc(20, 40, 8)
        rows += [
            {**row_of(f"i{index}", label, "found", dice), "group": f"g{index // 3}"}
            for label, dice in (("liver", 0.5 + index / 20), ("spleen", 0.9))
        ]
        cases.append(case_of(f"i{index}", truth, truth, 0.7))
    summaries = {name: summary_of([row for row in rows if row["class"] == name]) for name in ("liver", "spleen")}
    words = Page(
        render(Report("organs", {}, "p", summaries, rows, [], cases, ["background", "liver", "spleen"]))
    ).words()
    assert "95 % interval 0.725 to 0.800 over 2 groups (video sequence, patient, slide) of 6 images" in words


def test_the_score_table_has_units_and_decimals():
    page = Page(render(make_report()))
    assert page.row("HD95 (pixels)") == ["HD95 (pixels)", "5.7", "0.0", "5.7", "5.7 to 5.7"]
    assert re.fullmatch(r"0\.\d{3} to 0\.\d{3}", page.row("Dice (= F1)")[-1])


def test_the_table_of_images_holds_every_row():
    report = make_report()
    page = Page(render(report))
    for row in report.per_image:
        shown = page.row(row["case"])
        assert shown[1:3] == [row["outcome"].replace("_", " "), f"{row['dice']:.3f}"]
        assert shown[-2:] == ["12.3", "5.7"]


def test_the_cases_are_grouped_ranked_and_explained():
    words = Page(render(make_report())).words()
    worst, median, best = (words.index(f"{group} Image Reference") for group in ("Worst", "Median", "Best"))
    assert worst < words.index("rank 1 of 12") < median < words.index("rank 6 of 12") < best
    assert best < words.index("rank 12 of 12")
    assert RULE in words


def test_text_from_data_never_becomes_markup():
    report = make_report(
        names={index: f"{HOSTILE}{index}" for index in range(12)},
        title=HOSTILE,
        facts={HOSTILE: HOSTILE},
        protocol=HOSTILE,
    )
    rows = [{**row, "class": HOSTILE} for row in report.per_image]
    html = render(
        replace(report, classes=["background", HOSTILE], per_image=rows, summaries={HOSTILE: summary_of(rows)})
    )
    assert html.count("<script>") == 1
    assert "alert(1)" in Page(html).text


def test_values_that_do_not_exist_are_dashes():
    report = make_report()
    summary = report.summaries["polyp"]
    nothing = dict.fromkeys(("mean", "sd", "median", "low", "high"))
    metrics = {**summary["metrics"], "f1": {**nothing, "mean": 0.5}, "hd95": nothing}
    rows = [{**row, "hd": None, "hd95": float("nan")} for row in report.per_image]
    cases = [replace(case, scores={"dice": 0.5, "hd95": None, "specificity": 0.25}) for case in report.cases]
    summaries = {"polyp": {**summary, "protocol": "paper", "metrics": metrics, "n_hd_left_out": 12}}
    page = Page(render(replace(report, summaries=summaries, per_image=rows, cases=cases)))
    assert page.row("F1") == ["F1", "0.500", "–", "–", "–"]
    assert page.row("HD95 (pixels)") == ["HD95 (pixels)", "–", "–", "–", "–"]
    assert page.row("image-03")[-2:] == ["–", "–"]
    assert "Dice 0.500 HD95 – specificity 0.250" in page.words()
    assert "Not drawn: 12 images without a value." in page.words()
    assert "HD and HD95 leave out 12 images" in page.words()
    assert not re.search(r"\b(nan|None|inf)\b", page.text)


def test_without_a_training_log_the_section_says_so():
    assert "No training log was given" in Page(render(make_report(history=[]))).words()


def test_one_image_alone():
    report = make_report(n=1)
    page = Page(render(report))
    assert "95 % interval" not in page.words().split("Scores")[1].split("SD")[0]
    assert page.row("Dice (= F1)")[-1] == "–"
    assert len(page.all("image")) == 4
    assert "Missed in no image" in page.words()


def test_a_report_without_pictures_says_so():
    assert "No pictures were given" in Page(render(make_report(cases=[]))).words()


def test_several_classes_are_averaged_and_told_apart():
    rows, cases = [], []
    for index in range(6):
        truth = disc(20, 15, 8) + 2 * disc(20, 40, 8)
        truth[:3] = 255
        prediction = disc(20, 15 + index, 8) + 2 * disc(20, 40, 8)
        prediction[18:22, 38:42] = 1
        rows += [row_of(f"i{index}", "liver", "found", 0.5), row_of(f"i{index}", "spleen", "found", 0.9)]
        cases.append(case_of(f"i{index}", truth, prediction, 0.7))
    summaries = {name: summary_of([row for row in rows if row["class"] == name]) for name in ("liver", "spleen")}
    page = Page(render(Report("organs", {}, "p", summaries, rows, [], cases, ["background", "liver", "spleen"])))
    words = page.words()
    assert "0.700 mean Dice over 6 images and 2 classes" in words
    assert "liver mean Dice 0.500" in words
    assert "wrong class" in words
    assert "ignored (not scored)" in words
    assert page.row("i0")[:2] == ["i0", "liver"]
    assert any("16 confused" in picture.get("aria-label", "") for picture in page.all("svg"))


def test_misses_in_words():
    counts = {"n": 1200, "n_missed": 1000, "n_false_alarm": 0, "n_both_empty": 1, "n_hd_left_out": 0}
    objects = {"objects": 2400, "objects_missed": 1100, "objects_false": 7}
    sizes = {"objects_missed_median_px": 31.0, "objects_missed_largest_px": 1200}
    small = {"objects_too_small": 3, "objects_too_small_predicted": 0}
    found = misses({**counts, "n_ignored": 2, **objects, **sizes, **small})
    assert [re.findall(r"\d[\d,]*", sentence) for sentence in found] == [
        ["1,000", "1,200"],
        [],
        ["1,100", "2,400", "31", "1,200", "7"],
        ["5", "3", "0"],
        ["1"],
        ["2"],
    ]


def test_a_class_that_is_nowhere_has_no_numbers_on_the_page():
    report = make_report()
    rows = [{**row, "class": "lesion", "outcome": "both_empty", **dict.fromkeys(METRICS)} for row in report.per_image]
    summary = summary_of(rows)
    assert {value for values in summary["metrics"].values() for value in values.values()} == {None}
    page = render(
        replace(
            report,
            summaries={**report.summaries, "lesion": summary},
            per_image=[*report.per_image, *rows],
            classes=["background", "polyp", "lesion"],
        )
    )
    assert "1 of 2 classes" in page
    assert "not in these images" in page
    assert page.count('<figure class="chart">') == render(report).count('<figure class="chart">')
    (headline,) = re.findall(r'<p class="big">([^<]*)</p>', page)
    assert headline == re.findall(r'<p class="big">([^<]*)</p>', render(report))[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"summaries": {}}, "at least one class"),
        ({"classes": ["background", "nucleus"]}, r"in \['background', 'nucleus'\], but got \['polyp'\]"),
        ({"per_image": []}, r"classes of `summaries`, \['polyp'\], but got \[\]"),
        ({"classes": ["polyp"]}, "expected labels 0 to 0 in `truth`, but got \\[1\\]"),
    ],
)
def test_reports_that_contradict_themselves_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        render(make_report(**change))


def test_cases_chosen_by_eye_are_refused():
    report = make_report()
    pretty = [replace(report.cases[0], name=f"image-{index:02d}") for index in (1, 2, 3)]
    with pytest.raises(InputError, match="`cases`"):
        render(replace(report, cases=pretty))


def test_a_prediction_may_not_hold_the_ignored_label():
    report = make_report()
    wrong = replace(report.cases[0], prediction=np.full_like(report.cases[0].prediction, 255))
    with pytest.raises(InputError, match=r"`prediction`.*255"):
        render(replace(report, cases=[wrong, *report.cases[1:]]))


@pytest.mark.slow
def test_nine_large_textured_cases_stay_below_three_megabytes():
    rng = np.random.default_rng(3)
    mask = np.kron(rng.integers(0, 2, (45, 60)), np.ones((16, 16))).astype(np.uint8)
    tissue = ndimage.gaussian_filter(rng.normal(0, 700, (*mask.shape, 3)), (5, 5, 0))
    grain = rng.normal(0, 20, (*mask.shape, 1))
    image = np.clip(np.array([200, 120, 170]) + tissue + grain, 0, 255).astype(np.uint8)
    report = make_report()
    cases = [replace(case, image=image, truth=mask, prediction=np.roll(mask, 5, axis=1)) for case in report.cases]
    assert 500_000 < len(render(replace(report, cases=cases)).encode()) < 3_000_000


def test_write_report_makes_the_folder_and_the_whole_file(tmp_path):
    report = make_report(n=4)
    path = tmp_path / "runs" / "report.html"
    write_report(path, report)
    assert path.read_text(encoding="utf-8") == render(report)
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_selected_cases_are_always_accepted(count):
    for n in (1, 2, 3, 4, 7, 11):
        assert len(Page(render(make_report(n=n, count=count))).all("image")) == 4 * min(n, 3 * count)


def test_importing_the_package_is_light():
    code = (
        "import sys, tmunet.report; "
        "heavy = {'numpy', 'PIL', 'scipy', 'jinja2', 'matplotlib'} & set(sys.modules); "
        "assert not heavy, heavy; assert tmunet.report.Report.__name__ == 'Report'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_unknown_names_of_the_package_are_attribute_errors():
    import tmunet.report

    with pytest.raises(AttributeError, match="'reprot'"):
        _ = tmunet.report.reprot


def test_strict_shows_f1_once_beside_its_equal_and_distances_have_the_unit_of_the_set():
    report = make_report()
    page = Page(render(report))
    headings = [row[0].strip() for row in page.rows]
    assert "Dice (= F1)" in headings
    assert "F1" not in headings
    areas = {"objects_missed_median_mm2": 0.5, "objects_missed_largest_mm2": 0.5}
    in_mm = {"polyp": {**report.summaries["polyp"], "unit": "mm", **areas}}
    page = Page(render(replace(report, summaries=in_mm, unit="mm", cases=report.cases)))
    assert page.row("HD (mm)")[1] == "12.3"
    assert "5.67 mm" in page.words() or "1.25 mm" in page.words()
    assert "pixels)" not in " ".join(" ".join(row) for row in page.rows)


def test_the_counts_of_objects_stand_beside_the_scores_of_each_image():
    report = make_report()
    counts = {"objects": 3, "objects_missed": 1, "objects_false": 2, "objects_missed_largest_px": None}
    rows = [{**row, **counts} for row in report.per_image]
    page = Page(render(replace(report, per_image=rows)))
    assert page.row("image-03")[-4:] == ["3", "1", "2", "–"]
    assert page.row("Case")[-4:] == ["Objects", "Objects missed", "Objects false", "Objects missed largest (px)"]
