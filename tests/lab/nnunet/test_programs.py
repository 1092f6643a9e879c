"""Programs of another environment: what they are given, what is kept of what they say, and how they fail."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tmunet.errors import MissingExtraError
from tmunet_lab.nnunet.programs import ProgramError, Programs

from .stand_in import calls


def script(environment: Path, body: str) -> str:
    """A program named `speaks` in the environment."""
    path = environment / "bin" / "speaks"
    path.write_text(f"#!{environment / 'bin' / 'python'}\n{body}\n", "utf-8")
    path.chmod(0o755)
    return path.name


def test_a_program_is_heard_and_logged(environment: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    speaks = script(environment, "import sys; print('eins', *sys.argv[1:]); print('zwei ü', file=sys.stderr)")
    log = tmp_path / "logs" / "a.log"
    for word in ("a b", "c"):
        Programs(environment, show=heard.append).run(speaks, [word], log)
    assert heard == ["eins a b", "zwei ü", "eins c", "zwei ü"]
    assert log.read_text("utf-8") == "$ speaks 'a b'\neins a b\nzwei ü\n$ speaks c\neins c\nzwei ü\n"


def test_lines_come_as_they_are_written(environment: Path, tmp_path: Path) -> None:
    times: list[float] = []
    speaks = script(environment, "import time; print(1); time.sleep(0.5); print(2)")
    Programs(environment, show=lambda _: times.append(time.monotonic())).run(speaks, [], tmp_path / "log")
    assert times[1] - times[0] > 0.3


def test_variables_are_set_for_the_program_only(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    monkeypatch.setenv("nnUNet_wandb_enabled", "0")
    before = dict(os.environ)
    speaks = script(
        environment,
        "import os; print(os.environ['nnUNet_raw'], os.environ.get('PYTHONPATH'), os.environ['nnUNet_wandb_enabled'])",
    )
    heard: list[str] = []
    Programs(environment, {"nnUNet_raw": "here"}, heard.append).run(speaks, [], tmp_path / "log")
    assert heard == ["here None 0"]
    assert dict(os.environ) == before


def test_a_failure_ends_with_the_last_lines(environment: Path, tmp_path: Path) -> None:
    speaks = script(environment, "for i in range(40): print('line', i)\nraise SystemExit(5)")
    with pytest.raises(ProgramError) as caught:
        Programs(environment).run(speaks, [], tmp_path / "log")
    assert str(caught.value).splitlines()[1:] == [f"    line {i}" for i in range(25, 40)]
    assert (tmp_path / "log").read_text("utf-8").count("line ") == 40
    assert (caught.value.program, caught.value.returncode, caught.value.exit_code) == ("speaks", 5, 3)


def test_a_signal_is_named(environment: Path, tmp_path: Path) -> None:
    speaks = script(environment, "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(ProgramError) as caught:
        Programs(environment).run(speaks, [], tmp_path / "log")
    assert caught.value.returncode == -signal.SIGKILL


def test_an_interrupted_call_ends_its_program(environment: Path, tmp_path: Path) -> None:
    speaks = script(environment, "import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    found: list[int] = []

    def interrupt(line: str) -> None:
        found.append(int(line))
        raise KeyboardInterrupt

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Programs(environment, show=interrupt).run(speaks, [], tmp_path / "log")
    assert time.monotonic() - begin < 30
    with pytest.raises(ProcessLookupError):
        os.kill(found[0], 0)


def test_what_a_dead_program_left_behind_is_ended(environment: Path, tmp_path: Path) -> None:
    """Workers that augment images outlive a program that runs out of memory, and hold its output open."""
    body = "import os, signal, subprocess, sys\n"
    body += "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    body += "print(child.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    heard: list[str] = []
    begin = time.monotonic()
    with pytest.raises(ProgramError) as caught:
        Programs(environment, show=heard.append).run(script(environment, body), [], tmp_path / "log")
    assert caught.value.returncode == -signal.SIGKILL
    assert time.monotonic() - begin < 30
    state = Path(f"/proc/{heard[0]}/stat")  # a signal that was sent takes a moment on a busy machine
    while state.exists() and state.read_text().split()[2] != "Z":
        assert time.monotonic() - begin < 30
        time.sleep(0.05)


def test_where_it_is_missing_the_message_installs_it(tmp_path: Path) -> None:
    programs = Programs(tmp_path / "my environment")
    with pytest.raises(MissingExtraError) as caught:
        programs.run("nnUNetv2_train", [], tmp_path / "log")
    message = str(caught.value)
    assert f"python -m venv '{tmp_path / 'my environment'}'\n" in message
    assert f"'{tmp_path / 'my environment' / 'bin' / 'python'}' -m pip install nnunetv2==2.8.1\n" in message
    assert caught.value.exit_code == 4
    assert not (tmp_path / "log").exists()


def test_versions_are_those_of_the_environment(environment: Path) -> None:
    versions = Programs(environment).versions()
    assert versions == {"python": sys.version.split()[0], "nnunetv2": "2.8.1"}
    assert calls(environment) == []


def test_an_environment_that_does_not_run_is_named(environment: Path) -> None:
    python = environment / "bin" / "python"
    python.unlink()
    python.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    python.chmod(0o755)
    assert subprocess.run([python], capture_output=True).returncode == 1
    with pytest.raises(ProgramError, match="broken") as caught:
        Programs(environment).versions()
    assert (caught.value.program, caught.value.returncode) == ("python", 1)
