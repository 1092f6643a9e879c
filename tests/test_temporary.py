"""Temporary files and folders of a killed process are removed; those of one that lives, and the user's own, stay."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tmunet.temporary import remove_leftovers, temporary_file, temporary_folder, whole_folder

HOLD = """
import sys, time
from pathlib import Path
from tmunet.temporary import temporary_file, temporary_folder
with temporary_folder(Path(sys.argv[1])) as folder, temporary_file(folder / "inside"), temporary_file(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(60)
"""
pytestmark = pytest.mark.skipif(os.name == "nt", reason="no locks on Windows")


def hidden(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.startswith("."))


def test_leftovers_of_a_killed_process_are_removed_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    target = tmp_path / "result"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(target)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    (tmp_path / ".result.tmunet-mine").touch()  # not drawn by tempfile
    remove_leftovers(tmp_path)
    with temporary_folder(target):
        assert len(hidden(tmp_path)) == 4
    process.kill()
    process.wait()
    assert len(hidden(tmp_path)) == 3
    with temporary_folder(target) as folder:
        assert hidden(tmp_path) == sorted([folder, tmp_path / ".result.tmunet-mine"])
    assert hidden(tmp_path) == [tmp_path / ".result.tmunet-mine"]


def test_only_leftovers_of_the_path_are_removed_beside_it(tmp_path: Path) -> None:
    (tmp_path / ".other.tmunet-abcd1234").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".a.tmunet-abcd1234").touch()
    with temporary_folder(tmp_path / "result"):
        pass
    assert (tmp_path / ".other.tmunet-abcd1234").exists()
    remove_leftovers(tmp_path)
    assert list(tmp_path.rglob("*")) == [tmp_path / "sub"]


def fail_inside(folder: Path) -> None:
    with temporary_folder(folder / "a") as temporary, temporary_file(folder / "b"):
        (temporary / "half").touch()
        raise KeyError


def test_a_failure_removes_the_file_and_the_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        fail_inside(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_whole_folder_appears_when_its_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "result"
    target.mkdir()  # an empty one may be there
    with whole_folder(target) as folder:
        (folder / "file").touch()
        assert not list(target.iterdir())
    assert [path.name for path in target.iterdir()] == ["file"]
    assert target.stat().st_mode & 0o777 == 0o777 & ~_umask(tmp_path)
    assert list(tmp_path.iterdir()) == [target]


def fail_whole(target: Path) -> None:
    with whole_folder(target) as folder:
        (folder / "half").touch()
        raise KeyError


def test_a_folder_that_failed_or_that_holds_files_is_left_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "result"
    with pytest.raises(KeyError):
        fail_whole(target)
    assert not list(tmp_path.iterdir())
    target.mkdir()
    (target / "mine").write_text("kept")
    with pytest.raises(OSError, match="not empty"), whole_folder(target):
        pass
    assert [path.read_text() for path in target.iterdir()] == ["kept"]
    assert list(tmp_path.iterdir()) == [target]


def _umask(folder: Path) -> int:
    """Of a new folder, as the system makes it."""
    (folder / "plain").mkdir()
    mask = 0o777 & ~(folder / "plain").stat().st_mode
    (folder / "plain").rmdir()
    return mask
