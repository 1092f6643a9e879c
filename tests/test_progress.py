"""Progress in a log file: lines, not too many, the first and the last among them."""

import pytest

from tmunet.progress import ProgressLines


def test_a_line_at_most_every_ten_seconds_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    lines = ProgressLines(50, clock=lambda: now)
    for step in range(1, 51):
        now += 2
        lines.show(step, f"epoch {step}/50")
    shown = capsys.readouterr().err.splitlines()
    assert [line.partition("/")[0] for line in shown] == [f"epoch {k}" for k in (*range(1, 50, 5), 50)]
    assert shown[0] == "epoch 1/50; 2 s, about 98 s left"
    assert shown[-1] == "epoch 50/50; 100 s, about 0 s left".replace("100 s", "2 min")


def test_the_time_left_of_a_resumed_run_is_of_its_own_steps(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    lines = ProgressLines(40, clock=lambda: now)
    lines.start_at(30)
    now = 20.0
    lines.show(32, "epoch 32/40")
    assert capsys.readouterr().err == "epoch 32/40; 20 s, about 80 s left\n"
