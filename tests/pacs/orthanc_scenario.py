"""Run `tmunet pacs` against a real Orthanc, in a network namespace of its own, and write down what was found.

    unshare --net python tests/pacs/orthanc_scenario.py IMAGES MODEL OUT [KILLS]

IMAGES are DICOM files of one study. OUT gets report.json, said.txt (all output of `tmunet pacs`) and stored/, the segmentations
as the archive serves them. With KILLS, so many runs are killed by SIGKILL at random moments, each into an archive without
segmentations, and run on.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pydicom

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
from ohif_screenshot import ORTHANC, orthanc

from tmunet.cli.main import main as tmunet
from tmunet.pacs.dicomweb import Archive, Instance

URL = f"{ORTHANC}/dicom-web"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


def ask(method: str, path: str, body: bytes | None = None) -> Any:
    with urllib.request.urlopen(urllib.request.Request(ORTHANC + path, data=body, method=method)) as answer:
        return json.loads(answer.read() or b"null")


def segmentations(study: str) -> list[Instance]:
    return [one for one in Archive(URL).find_instances(study) if one.sop_class == SEGMENTATION]


def count_received() -> int:
    changes = ask("GET", "/changes?limit=10000")["Changes"]
    return sum(change["ChangeType"] == "NewInstance" for change in changes)


def start(words: Sequence[str], said: Path) -> int:
    """Run a command in a forked process, which has torch imported already; returns its process ID."""
    process = os.fork()
    if process == 0:
        log = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = 99
        try:
            code = tmunet(words)
            sys.stdout.flush()
        finally:
            os._exit(code)
    return process


def finish(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def reset(study: str, out: Path) -> None:
    """Remove all segmentations, here and there."""
    for series in ask("GET", "/series?expand"):
        if series["MainDicomTags"]["Modality"] == "SEG":
            ask("DELETE", f"/series/{series['ID']}")
    for path in out.rglob("*"):
        if path.is_file():
            path.unlink()
    assert segmentations(study) == []


def wait_until(process: int, reached: Callable[[], bool]) -> None:
    """Wait until something is reached, or the process has ended."""
    while os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None and not reached():
        time.sleep(0.001)


def wait_for_moment(process: int, number: int, chance: random.Random, length: float, images: int, work: Path) -> None:
    """Wait for the moment of a kill: a time, a number of segmentations that are written, or a number that are stored.

    Writing and storing are short beside the rest, so that times alone would hardly meet them.
    """
    count = chance.randint(1, images)
    moment = time.monotonic() + chance.uniform(0, length)
    wait_until(
        process,
        (
            lambda: time.monotonic() > moment,
            lambda: len(list(work.glob("*.dcm"))) >= count,
            lambda: ask("GET", "/statistics")["CountInstances"] >= images + count,
        )[number % 3],
    )


def run(images: Path, model: str, out: Path, kills: int) -> dict[str, Any]:
    files = sorted(images.glob("*.dcm"))
    study = str(pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    for file in files:
        ask("POST", "/instances", file.read_bytes())
    said, work = out / "said.txt", out / "work"
    words = ["pacs", "--from", URL, "--study", study, "-m", model, "-o", str(work)]
    report: dict[str, Any] = {"dry": finish(start(words, said)), "stored_by_dry_run": len(segmentations(study))}
    words += ["--to", URL]
    begun = time.monotonic()
    report["first"] = finish(start(words, said))
    length = time.monotonic() - begun
    found = segmentations(study)
    for one in found:
        Archive(URL).retrieve(one, out / "stored" / f"{one.uid}.dcm")
    received = count_received()
    report["second"] = finish(start(words, said))
    report["received_by_second_run"] = count_received() - received
    expected = sorted(one.uid for one in found)
    report |= {"seconds": length, "stored": expected, "killed": 0, "stored_when_killed": [], "wrong": []}
    chance = random.Random(0)
    for number in range(kills):
        reset(study, work)
        process = start(words, said)
        wait_for_moment(process, number, chance, length, len(files), work)
        os.kill(process, signal.SIGKILL)
        report["killed"] += finish(process) == -signal.SIGKILL
        report["stored_when_killed"].append(len(segmentations(study)))
        code = finish(start(words, said))
        after = sorted(one.uid for one in segmentations(study))
        left = [path.name for path in work.rglob("*") if path.suffix != ".dcm"]
        if code or after != expected or left:
            report["wrong"].append({"code": code, "stored": after, "left": left})
    return report


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = Path(sys.argv[3])
    with orthanc():
        result = run(Path(sys.argv[1]), sys.argv[2], folder, int(sys.argv[4]) if len(sys.argv) > 4 else 0)
    (folder / "report.json").write_text(json.dumps(result, indent=2), "utf-8")
