"""The files of a target: figures, notes, links; independent of the order of results."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmunet.errors import InputError, UsageError
from tmunet.files import write_json
from tmunet.metrics import get_protocol
from tmunet.text import KINDS, resampling_unit
from tmunet_lab.experiments.latex import escape_latex
from tmunet_lab.experiments.markdown import escape
from tmunet_lab.experiments.plan import ExperimentPlan, PlannedNetwork
from tmunet_lab.experiments.results import RunResult
from tmunet_lab.experiments.write_tables import write_target

from .made_results import COSTS, NETWORKS, all_results, plan, result

PICTURES = (".svg", ".pdf")
SMALL = plan(data=["MoNuSeg"], splits=["random"], protocols=["paper"])


def written(folder: Path, target: str, of: ExperimentPlan, results: list[RunResult], **changes: Any) -> dict[str, str]:
    known: dict[str, Any] = {"missing": {}, "costs": COSTS, "command": "tmunet reproduce", "data_root": folder / "data"}
    files = write_target(target, of, results, out=folder / "pages", **{**known, **changes})
    return {file.name: file.read_text("utf-8") for file in files if file.suffix not in PICTURES}


def section(page: str, heading: str) -> str:
    return re.split(r"\n#+ ", page.split(f"# {heading}\n", 1)[1])[0]


def cells(section: str, first: str) -> list[str]:
    (line,) = re.findall(rf"^\| {re.escape(first)} \| (.*) \|$", section, re.MULTILINE)
    return str(line).split(" | ")


def test_a_page_names_figures_protocol_runs_and_hashes(tmp_path: Path) -> None:
    results = all_results(tmp_path, plan())
    page = written(tmp_path, "table1", plan(), results)["table1.md"]
    assert page.startswith("# Table 1, small\n\n- Recipe `paper` with `{epochs: 2}`, seeds 0, 1.\n")
    for protocol in ("paper", "strict"):
        assert escape(get_protocol(protocol).description) in section(page, f"Protocol {protocol}")
    random = section(page, "CVC-ClinicDB, split random")
    row = cells(random, "TM-UNet")
    first = [
        one
        for one in results
        if (one.network, one.data, one.split, one.protocol) == ("TM-UNet", "CVC-ClinicDB", "random", "paper")
    ]
    means = [100 * (one.mean("dice") or 0) for one in first]
    assert row[0] == "86.57"
    assert row[1].startswith(f"**{sum(means) / 2:.2f}** ± {abs(means[0] - means[1]) / 2**0.5:.2f}<br>")
    assert cells(random, "U-Net")[8] == "1, 1"  # left out of HD
    assert "12 test images, protocol paper" in random
    runs = section(page, "Runs")
    for one in results:
        assert f"`{one.split_sha256[:12]}` | `{one.weights_sha256[:12]}` | 2, kept 1 |" in runs
    assert page.endswith("Made by `tmunet reproduce`.\n")


def test_a_page_of_several_classes_says_what_is_averaged(tmp_path: Path) -> None:
    results = [
        replace(
            one,
            scores={
                **one.scores,
                "classes": {
                    "lesion": one.scores["classes"]["foreground"],
                    "vessel": one.scores["classes"]["foreground"],
                },
            },
        )
        for one in all_results(tmp_path, plan())
    ]
    page = written(tmp_path, "table1", plan(), results)["table1.md"]
    paper, strict = page.split("## Protocol ")[1:]
    assert "means over the classes lesion, vessel; images left out of HD" in paper
    assert "means over the classes lesion, vessel." in strict


def test_a_page_says_what_its_intervals_are_drawn_from(tmp_path: Path) -> None:
    small = plan(data=["MoNuSeg"], splits=["random"], seeds=[0], protocols=["strict"])
    groups: list[str | None] = ["slide 1", "slide 1", "slide 2", None]
    values = {name: [0.5 + 0.1 * n, 0.7, 0.6, 0.8] for n, name in enumerate(NETWORKS)}
    known, unknown = (
        [result(tmp_path, name, list(of), data="MoNuSeg", protocol="strict", groups=g) for name, of in values.items()]
        for g in (groups, None)
    )
    units = resampling_unit(4, 3)
    pages = written(tmp_path, "table1", small, known)
    for kind in ("md", "tex"):
        assert units in pages[f"table1.{kind}"]
        assert f"groups of images ({KINDS}) where they are known" in pages[f"table1.{kind}"]
    for page in written(tmp_path, "table1", small, unknown).values():
        assert KINDS not in page.replace(escape(get_protocol("strict").description), "").replace(
            escape_latex(get_protocol("strict").description), ""
        )
    rows = list(csv.DictReader(written(tmp_path, "table1", small, known)["table1.csv"].splitlines()))
    assert {row["groups"] for row in rows} == {"3"}
    mixed = written(tmp_path, "table1", small, [*unknown[:2], *known[2:]])
    assert mixed["table1.csv"] == written(tmp_path, "table1", small, known)["table1.csv"]  # one that tells is enough


def test_one_test_image_is_one(tmp_path: Path) -> None:
    page = written(tmp_path, "table1", plan(), all_results(tmp_path, plan(), images=1))["table1.md"]
    assert "1 test image, protocol strict" in page


def test_every_link_leads_to_a_run_or_a_table_of_images(tmp_path: Path) -> None:
    for target in ("table1", "leak"):
        pages = written(tmp_path, target, plan(), all_results(tmp_path, plan()))
        targets = re.findall(r"\]\(([^)]+)\)", pages[f"{target}.md"])
        assert len(set(targets)) >= 24 + 48
        assert all((tmp_path / "pages" / unquote(one)).exists() for one in targets)


def test_costs_stand_beside_the_papers_and_name_the_machine(tmp_path: Path) -> None:
    page = written(tmp_path, "table1", SMALL, [], costs={"TM-UNet": COSTS["TM-UNet"]})["table1.md"]
    cost = section(page, "Cost")
    assert cells(cost, "TM-UNet") == ["3,971,521", "6.55", "5.100", "6.447", "87.55", "8.00", "Z80, 1 thread"]
    assert cells(cost, "U-Net") == ["–", "124.48", "–", "–", "27.72", "–", "–"]
    assert "NVIDIA A100" in cost
    linked = {"TM-UNet": replace(COSTS["TM-UNet"], bench="bench/table1/bench.csv")}
    page = written(tmp_path, "table1", SMALL, [], costs=linked)["table1.md"]
    assert cells(section(page, "Cost"), "TM-UNet")[-1] == "[Z80, 1 thread](bench/table1/bench.csv)"


def test_without_results_every_cell_is_empty_with_the_reason(tmp_path: Path) -> None:
    reason = "the data set is not there; get it from its authors"
    missing = {
        (name, data, split, seed): reason
        for name in NETWORKS
        for data in plan().data
        for split in plan().splits
        for seed in (0, 1)
    }
    for target in ("table1", "leak", "figure1", "figure3"):
        files = written(tmp_path, target, plan(), [], missing=missing)
        assert all(reason in content.replace("\\_", "_") for content in files.values())
    page = written(tmp_path, "table1", plan(), [], missing=missing)["table1.md"]
    assert cells(section(page, "MoNuSeg, split random"), "U-Net") == [
        "77.57",
        "–",
        "63.78",
        "–",
        "78.95",
        "–",
        "38.33",
        "–",
        "–",
        "–",
    ]
    assert section(page, "MoNuSeg, split grouped").strip() == f"Empty: {reason}."


def test_what_is_missing_in_part_is_named_with_its_seeds(tmp_path: Path) -> None:
    results = [one for one in all_results(tmp_path, SMALL) if (one.network, one.seed) != ("U-Net", 1)]
    page = written(tmp_path, "table1", SMALL, results, missing={("U-Net", "MoNuSeg", "random", 1): "failed."})[
        "table1.md"
    ]
    assert "Empty, U-Net (seed 1): failed.\n" in section(page, "MoNuSeg, split random")


def test_test_images_that_were_trained_on_are_told(tmp_path: Path) -> None:
    results = [
        result(tmp_path, network, [0.8, 0.9], data="MoNuSeg", model=planned.model, images_in_train=1)
        for network, planned in SMALL.networks.items()
    ]
    page = written(tmp_path, "table1", SMALL, results)["table1.md"]
    assert "Data leakage: 1 test image" in page
    clean = [result(tmp_path, one.network, [0.8, 0.9], data="MoNuSeg", model=one.model) for one in results]
    assert "Data leakage" not in written(tmp_path, "table1", SMALL, clean)["table1.md"]


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_results_does_not_change_a_page(tmp_path_factory: pytest.TempPathFactory, random: Any) -> None:
    folder = tmp_path_factory.mktemp("order")
    results = all_results(folder, SMALL, images=5)
    shuffled = results.copy()
    random.shuffle(shuffled)
    assert written(folder, "table1", SMALL, results) == written(folder, "table1", SMALL, shuffled)


def test_taking_a_network_s_results_away_empties_its_cells_alone(tmp_path: Path) -> None:
    results = all_results(tmp_path, plan())
    kept = [one for one in results if one.network != "U-Net"]
    whole, less = (
        list(csv.DictReader(written(tmp_path, "table1", plan(), of)["table1.csv"].splitlines()))
        for of in (results, kept)
    )
    corrected = {"p_holm"}  # of fewer tests
    for before, after in zip(whole, less, strict=True):
        if before["network"] == "U-Net":
            assert {name for name in before if before[name] and not after[name]} >= {
                "mean",
                "seeds",
                "runs",
                "weights_sha256",
            }
            assert (after["mean"], after["paper"], after["missing"]) == (
                "",
                before["paper"],
                "seeds 0, 1: there is no run",
            )
        else:
            assert {name: before[name] for name in before if name not in corrected} == {
                name: after[name] for name in after if name not in corrected
            }


def test_the_csv_has_a_line_for_each_number_and_reads_back_as_the_same(tmp_path: Path) -> None:
    results = all_results(tmp_path, SMALL)
    lines = list(csv.DictReader(written(tmp_path, "table1", SMALL, results)["table1.csv"].splitlines()))
    assert [(line["network"], line["metric"]) for line in lines] == [
        (n, m) for n in NETWORKS for m in ("dice", "iou", "f1", "hd")
    ]
    line = next(line for line in lines if (line["network"], line["metric"]) == ("TM-UNet", "hd"))
    means = [one.mean("hd") or 0 for one in results if one.network == "TM-UNet"]
    assert float(line["mean"]) == pytest.approx(sum(means) / 2)
    assert (line["unit"], line["paper"], line["seeds"], line["gmac"]) == ("pixels", "25.66", "0; 1", "6.447")
    assert float(line["low"]) < float(line["mean"]) < float(line["high"])
    assert line["runs"].split("; ") == [f"../runs/MoNuSeg-random-TM-UNet-s{seed}" for seed in (0, 1)]
    assert [len(sha) for sha in line["weights_sha256"].split("; ")] == [64, 64]


def test_latex_is_balanced_escaped_and_needs_booktabs_alone(tmp_path: Path) -> None:
    networks = {**NETWORKS, "50 % of U_Net & $x$": PlannedNetwork("ulite")}
    of = plan(networks=networks, protocols=["paper"])
    text = written(tmp_path, "table1", of, all_results(tmp_path, of))["table1.tex"]
    assert re.findall(r"\\usepackage\{(\w+)\}", text) == ["booktabs"]
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    body = "\n".join(lines)
    for name in ("table", "tabular"):
        assert body.count(f"\\begin{{{name}}}") == body.count(f"\\end{{{name}}}") == 4
    bare = re.sub(r"\\[\\{}$&#_%]", "", body)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[#_%~^<>](?![^$]*\$)", re.sub(r"\$[<>]\$", "", bare))
    assert r"50 \% of U\_Net \& \$x\$" in body
    known = {
        "begin",
        "end",
        "centering",
        "caption",
        "toprule",
        "midrule",
        "bottomrule",
        "cmidrule",
        "multicolumn",
        "textbf",
    }
    assert set(re.findall(r"\\([a-z]+)", body)) <= known | {"underline", "scriptsize", "footnotesize", "par", "pm"}
    tabulars = re.findall(r"\\begin\{tabular\}\{(lr*)\}(.*?)\\end\{tabular\}", body, re.DOTALL)
    assert [len(columns) for columns, _ in tabulars] == [10, 6, 10, 6]
    for tabular in tabulars:
        for line in tabular[1].splitlines():
            if line.endswith(r"\\"):
                spans = 1 + len(re.findall(r"(?<!\\)&", line)) + line.count("multicolumn{2}")
                assert spans == len(tabular[0])


def test_the_best_value_is_marked_in_the_right_cell(tmp_path: Path) -> None:
    files = written(tmp_path, "table1", SMALL, all_results(tmp_path, SMALL))
    row = {name: cells(section(files["table1.md"], "MoNuSeg, split random"), name) for name in NETWORKS}
    for column in (1, 3, 5, 7):
        assert row["TM-UNet"][column].startswith("**")
        assert re.match(r"\*\d", row["TM-UNet (released code)"][column])
        assert "*" not in row["U-Net"][column]
    (line,) = re.findall(r"^TM-UNet & (.*)$", files["table1.tex"], re.MULTILINE)
    assert line.count("textbf") == 4
    assert files["table1.tex"].count("textbf{") == files["table1.tex"].count("underline{") == 4


def test_what_networks_and_data_sets_do_differently_is_said(tmp_path: Path) -> None:
    networks = {
        "A": PlannedNetwork("tmunet_t", {"refine": "full"}, settings={"epochs": 3}),
        "B": PlannedNetwork("ulite"),
    }
    of = plan(
        networks=networks, data=["BUSI"], data_settings={"BUSI": {"batch_size": 4}}, substitutes={"BUSI": "UDIAT"}
    )
    page = written(tmp_path, "table1", of, all_results(tmp_path, of))["table1.md"]
    assert (
        "- A: `tmunet_t` with `model_args: {refine: full}`; trained with `{epochs: 3}` in place of the plan's.\n"
        in page
    )
    assert "- On BUSI also `{batch_size: 4}`.\n" in page
    assert "BUSI substitutes UDIAT" in page


def test_the_leak_is_the_difference_of_the_splits_with_the_shares_of_the_runs(tmp_path: Path) -> None:
    of = plan(data=["CVC-ClinicDB"], protocols=["strict"])
    results = all_results(tmp_path, of)
    page = written(tmp_path, "leak", of, results)["leak.md"]
    leak = section(page, "Random and grouped splits")
    dice = {(one.split, one.seed): one.mean("dice") or 0 for one in results if one.network == "TM-UNet"}
    gaps = [100 * (dice["random", seed] - dice["grouped", seed]) for seed in (0, 1)]
    row = cells(leak, "TM-UNet")
    assert row[:2] == ["CVC-ClinicDB", "strict"]
    assert row[4] == f"{sum(gaps) / 2:+.2f} ± {abs(gaps[0] - gaps[1]) / 2**0.5:.2f}"
    shares = re.findall(r"^\| CVC-ClinicDB \| (\w+) \| 12 \| (\d+)% \| (\d+)% \|", leak, re.MULTILINE)
    assert shares == [("random", "100", "25"), ("grouped", "0", "0")]


def test_a_run_without_counts_of_leaks_is_an_error(tmp_path: Path) -> None:
    one = result(tmp_path, "TM-UNet", [0.5, 0.6])
    write_json(one.run / "provenance.json", {})
    with pytest.raises(InputError, match=r"provenance\.json"):
        written(tmp_path, "leak", plan(), [one])


def test_there_is_no_other_target(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="table4"):
        written(tmp_path, "table4", plan(), [])
    assert not (tmp_path / "pages").exists()


@given(st.text(st.characters(codec="utf-8"), max_size=12))
def test_text_is_never_a_command(text: str) -> None:
    assert not re.search(r"(?<!\\)[&#_%^~<>](?!\$)", escape_latex(text))
    assert not re.search(r"(?<!\\)[|*_<>]", re.sub(r"`[^`]*`", "", escape(text)))
