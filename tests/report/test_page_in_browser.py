import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from tmunet.report import render, write_report

from .report_samples import make_report

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--window-size=1000,1600",
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs the browser chromium")


def browse(page, tmp_path, *extra):
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *extra, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout


def test_the_page_is_drawn_without_a_console_message(tmp_path):
    write_report(tmp_path / "report.html", make_report())
    browse(tmp_path / "report.html", tmp_path, f"--screenshot={tmp_path / 'page.png'}")
    pixels = np.asarray(Image.open(tmp_path / "page.png").convert("RGB"))
    assert pixels.shape == (1600, 1000, 3)
    assert pixels[:400].std() > 5  # the headline
    assert pixels[800:].std() > 20  # the charts and pictures


def test_a_click_on_a_heading_sorts_the_images(tmp_path):
    click = "document.querySelectorAll('#per-image thead a')[2].click();"
    page = tmp_path / "report.html"
    page.write_text(render(make_report()).replace("</script>", f"{click}</script>"), encoding="utf-8")
    body = browse(page, tmp_path, "--dump-dom").split('id="per-image"')[1].split("<tbody>")[1].split("</tbody>")[0]
    rows = [row.split("</td>") for row in body.split("</tr>")[:-1]]
    dice = [float(cells[1].removeprefix("<td>")) for cells in rows]
    assert len(dice) == 12
    assert dice == sorted(dice)
