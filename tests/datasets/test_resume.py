import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tmunet.data.io.masks import read_mask
from tmunet.datasets._build.build import build
from tmunet.datasets._build.journal import JOURNAL, unfinished
from tmunet.datasets._build.source import open_source
from tmunet.errors import DataError, InputError, UsageError

from . import small_set
from .small_set import COMMAND, FACTS, make_plan, make_source, run, tree


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    return make_source(tmp_path / "origin")


def interrupt(origin: Path, folder: Path) -> Path:
    """An import that stopped at one broken case; the case is mended."""
    broken = origin / "masks" / "png.raw"
    content = broken.read_bytes()
    broken.write_bytes(b"xx")
    with pytest.raises(DataError):
        run(origin, folder)
    broken.write_bytes(content)
    return folder


def test_an_unfinished_import_goes_on_only_as_it_began(origin, tmp_path):
    folder = interrupt(origin, tmp_path / "set")
    source = open_source(origin, tmp_path / "staging")
    plan = make_plan(source)
    with pytest.raises(
        UsageError, match=r"its command was tmunet import small small\.zip, and now is tmunet import big\. Run the"
    ):
        build(plan, source, folder, "tmunet import big")
    with pytest.raises(UsageError, match="its importer was Small 3, and now is Small 4"):
        build(replace(plan, facts=replace(FACTS, version=4)), source, folder, COMMAND)
    with pytest.raises(UsageError, match=r"its plan was .*, and now is .*remove the folder to begin anew"):
        build(replace(plan, cases=plan.cases[1:], official={}), source, folder, COMMAND)
    (folder / JOURNAL).write_bytes(b"\xff")
    with pytest.raises(UsageError, match="its command was lost"):
        build(plan, source, folder, COMMAND)


def test_cases_whose_files_have_changed_are_made_again(origin, tmp_path):
    folder = interrupt(origin, tmp_path / "set")
    image, mask, lost = folder / "images" / "gray.png", folder / "masks" / "jpg.png", folder / "masks" / "bmp.png"
    image.write_bytes(image.read_bytes()[:-1])
    mask.write_bytes(bytes(mask.stat().st_size))
    lost.unlink()
    (folder / "images" / ".rgb.png.abcd_123").write_text("of a write that was killed")
    shutil.copy(origin / "images" / "bmp.BMP", origin / "images" / "rgb.tif")
    (origin / "masks" / "deep.raw").write_bytes(bytes(48))
    imported = run(origin, folder)
    assert tree(folder) == tree(run(origin, tmp_path / "anew").folder)
    assert not (folder / "images" / "rgb.png").exists()
    assert read_mask(folder / "masks" / "deep.png", imported.info.classes).max() == 0


def test_a_journal_that_was_cut_short_only_costs_a_case(origin, tmp_path):
    folder = interrupt(origin, tmp_path / "set")
    journal = folder / JOURNAL
    lines = journal.read_text().splitlines()
    assert len(lines) == 7
    journal.write_text("\n".join([*lines[:4], json.dumps({"name": "gray"}), "[]", lines[-1][:-20]]))
    run(origin, folder)
    assert tree(folder) == tree(run(origin, tmp_path / "anew").folder)


def test_files_that_somebody_put_there_meanwhile_are_named(origin, tmp_path):
    folder = interrupt(origin, tmp_path / "set")
    shutil.copy(origin / "images" / "bmp.BMP", folder / "images" / "stray.bmp")
    with pytest.raises(DataError, match=r"stray\.bmp: has no mask"):
        run(origin, folder)
    (folder / "images" / "stray.bmp").unlink()
    run(origin, folder)


def test_a_destination_that_cannot_be_written_is_named(origin, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(
        InputError, match=r"file/set: cannot be written: Not a directory\. .*run the same command again"
    ):
        run(origin, tmp_path / "file" / "set")


def test_a_full_disk_is_said_and_a_later_call_goes_on(origin, tmp_path, monkeypatch):
    written = []

    def fills_up(path: Path, content: bytes) -> None:
        written.append(path)
        if len(written) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        real(path, content)

    from tmunet.datasets import case_files

    real = case_files.write_bytes
    with monkeypatch.context() as patch:
        patch.setattr(case_files, "write_bytes", fills_up)
        with pytest.raises(
            InputError, match=r"set: cannot be written: No space left on device\. Check .*goes on where it"
        ):
            run(origin, tmp_path / "set")
    run(origin, tmp_path / "set")
    assert tree(tmp_path / "set") == tree(run(origin, tmp_path / "anew").folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks")
def test_an_import_that_is_killed_at_any_step_comes_to_the_same_files(origin, tmp_path):
    expected = tree(run(origin, tmp_path / "whole").folder)
    killed = tmp_path / "killed"
    killed.mkdir()
    steps = [*range(0, 108, 4), 1000]
    command = [sys.executable, small_set.__file__, str(origin), str(killed), *map(str, steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    outcomes = done.stdout.split()
    assert outcomes.count("killed") > 20
    assert outcomes[-1] == "finished"
    unfinished_before = 0
    for number in steps:
        folder = killed / str(number)
        unfinished_before += unfinished(folder)
        if not folder.exists() or unfinished(folder) or not (folder / "dataset.json").exists():
            run(origin, folder)
        assert tree(folder) == expected, number
    assert unfinished_before > 20
