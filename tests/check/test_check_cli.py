"""`tmunet check`."""

import json

import pytest

from tmunet.check.run import check_dataset
from tmunet.cli.check import run
from tmunet.errors import UsageError

from .corpus import Folder, disc


def test_the_exit_code_is_0_for_notes_and_1_for_more(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(folder.path)]) == 0
    folder.case("nothing", mask=disc() * 0)
    assert run([str(folder.path)]) == 0
    folder.case("everything", mask=disc() * 0 + 1)
    assert run([str(folder.path)]) == 1
    folder.image("lonely.png")
    capsys.readouterr()
    assert run([str(folder.path)]) == 1
    assert "1 fault, 1 warning, 1 note." in capsys.readouterr().out


def test_json_is_the_report(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(folder.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == check_dataset(folder.path).to_dict()


def test_fix_is_judged_by_the_copy(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.image("lonely.png")
    copy = folder.path.parent / "copy"
    assert run([str(folder.path), "--fix", str(copy)]) == 0
    said = capsys.readouterr().out
    assert f"Copy: {copy}, with 1 change, listed in FIXED.md." in said
    assert said.rstrip().endswith("No findings.")
    assert run([str(folder.path), "--fix", str(copy.parent / "second"), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["counts"]["fault"] == 1
    assert content["fixed"]["left"]["counts"]["fault"] == 0
    assert [change["file"] for change in content["fixed"]["changes"]] == ["images/lonely.png"]


def test_the_page_is_written(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.image("lonely.png")
    page = folder.path.parent / "check.html"
    assert run([str(folder.path), "--html", str(page)]) == 1
    assert "lonely.png" in page.read_text("utf-8")
    assert f"Page: {page}" in capsys.readouterr().out


def test_an_unknown_flag_is_refused(folder: Folder) -> None:
    with pytest.raises(UsageError, match="fixx"):
        run([str(folder.path), "--fixx", "x"])
