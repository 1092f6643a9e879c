"""`tmunet serve`: what is refused before it listens."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tmunet.cli.serve import _names
from tmunet.serving.guard import read_token

from .conftest import Answer

Run = Callable[..., Answer]


def test_other_machines_need_a_token(tmunet: Run) -> None:
    answer = tmunet("serve", "--host", "0.0.0.0")
    assert (answer.code, answer.error) == (2, "token")


def test_a_port_in_use_is_an_error_at_once(tmunet: Run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        answer = tmunet("serve", "--port", other.getsockname()[1])
    assert (answer.code, answer.error) == (2, "address")


@pytest.mark.parametrize("flag", ["--max-bytes", "--max-pixels", "--timeout", "--queue"])
def test_limits_are_above_zero(tmunet: Run, flag: str) -> None:
    answer = tmunet("serve", flag, "0")
    assert (answer.code, answer.error) == (2, "value")


def test_two_models_of_one_name_are_refused(tmunet: Run) -> None:
    answer = tmunet("serve", "a/model", "b/model")
    assert (answer.code, answer.error) == (2, "models")
    assert _names(["runs/a", "runs/b"]) == {"a": "runs/a", "b": "runs/b"}


@pytest.mark.parametrize(
    ("content", "mode"), [("short", 0o600), ("two words of a token", 0o600), ("é" * 20, 0o600), ("a" * 20, 0o644)]
)
def test_a_weak_or_open_token_is_refused(tmunet: Run, tmp_path: Path, content: str, mode: int) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    file.chmod(mode)
    answer = tmunet("serve", "--token-file", file)
    assert (answer.code, answer.error, answer.paths) == (2, "token", (file,))


def test_a_token_that_is_missing_is_refused(tmunet: Run, tmp_path: Path) -> None:
    answer = tmunet("serve", "--token-file", tmp_path / "none")
    assert (answer.code, answer.error) == (2, "token")


def test_a_token_is_read_without_its_line_feed(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a" * 20 + "\n")
    file.chmod(0o600)
    assert read_token(file) == "a" * 20


def test_a_folder_without_a_page_is_refused(tmunet: Run, tmp_path: Path) -> None:
    answer = tmunet("serve", "--page", tmp_path, "--port", 0)
    assert (answer.code, answer.error, answer.paths) == (2, "page", (tmp_path,))


def test_a_page_is_served_without_models(tmunet: Run, tmp_path: Path) -> None:
    answer = tmunet("serve", "nuclei-t", "--page", tmp_path)
    assert (answer.code, answer.error) == (2, "models")
