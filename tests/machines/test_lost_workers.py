"""A scheduler with two worker processes, one of which is killed in the middle: nothing is lost, nothing is done twice."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tmunet.cli.main import main
from tmunet.errors import UsageError, WorkerError
from tmunet.machines.dask_pool import DaskPool, open_dask
from tmunet.machines.slurm_pool import SlurmPool
from tmunet.prediction.folder import MANIFEST, find_images, predict_files
from tmunet.prediction.predictor import Predictor, packaged_model

from ..coded_errors import coded

pytestmark = pytest.mark.slow
IMAGES = 60


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two worker processes with a thread each, restarted by their nannies when they die."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as found:
        yield found


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(IMAGES):
        noise = random.integers(0, 255, (12, 16, 3)).astype(np.uint8)
        Image.fromarray(noise).resize((320, 240)).save(folder / f"i{number}.png")
    return folder


class Watch(threading.Thread):
    """Notes each mask file that appears, and whether one is written again; calls back once when there are some."""

    def __init__(self, folder: Path, when: int, then: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.folder, self.when, self.then = folder, when, then
        self.seen: dict[str, tuple[int, int]] = {}
        self.again: list[str] = []
        self.fired_at = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.01):
            self.look()
            if not self.fired_at and len(self.seen) >= self.when:
                self.fired_at = len(self.seen)
                self.then()

    def look(self) -> None:
        for file in self.folder.glob("*.png"):
            found = file.stat()
            key = (found.st_ino, found.st_mtime_ns)
            if self.seen.setdefault(file.name, key) != key:
                self.again.append(file.name)

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()
        self.look()

    def __enter__(self) -> "Watch":
        self.start()
        return self


def masks(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.png")}


def test_a_worker_killed_in_the_middle_loses_no_image_and_does_none_twice(
    cluster: Any, images: Path, tmp_path: Path
) -> None:
    from distributed import Client

    def kill() -> None:
        with Client(cluster.scheduler_address, set_as_default=False) as client:
            pids = client.run(os.getpid)
            busy = [address for address, tasks in client.processing().items() if tasks]
            os.kill(pids[busy[0]], signal.SIGKILL)

    out = tmp_path / "shared"
    with Watch(out, IMAGES // 5, kill) as watch:
        words = ["predict", images, "-m", packaged_model(), "-o", out, "--backend", "torch"]
        assert main([str(word) for word in [*words, "--dask", cluster.scheduler_address]]) == 0
    assert 0 < watch.fired_at < IMAGES
    assert len(watch.seen) == IMAGES
    assert watch.again == []
    assert (out / MANIFEST).is_file()
    predict_files(Predictor(packaged_model()), find_images([str(images)]), tmp_path / "alone")
    assert masks(out) == masks(tmp_path / "alone")
    assert (out / "confidence.csv").read_text() == (tmp_path / "alone" / "confidence.csv").read_text()


def test_a_part_that_kills_every_worker_ends_with_an_error(cluster: Any) -> None:
    with open_dask(cluster.scheduler_address) as pool:
        assert list(pool.map(abs, [-1, -2, -3])) == [1, 2, 3]
        with pytest.raises(WorkerError, check=coded("worker")):
            list(pool.map(_die_at_two, [1, 2, 3]))


def test_an_error_of_ours_comes_back_as_it_is(cluster: Any) -> None:
    with open_dask(cluster.scheduler_address) as pool, pytest.raises(UsageError, check=coded("two")):
        list(pool.map(_refuse_two, [1, 2, 3]))


def test_without_scheduler_or_workers_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("tmunet.machines.dask_pool.WAIT", 1)
    with pytest.raises(WorkerError), open_dask("tcp://127.0.0.1:1"):
        pass
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None) as empty,
        distributed.Client(empty) as client,
        pytest.raises(WorkerError),
    ):
        DaskPool(client)


def test_a_killed_job_is_submitted_again(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    pool = SlurmPool({"cluster": "local", "timeout_min": 5}, tmp_path / "jobs")
    found = list(pool.map(_die_once, [tmp_path / "a", tmp_path / "b"]))
    assert found == ["a", "b"]
    with pytest.raises(WorkerError):
        list(pool.map(_die_at_two, [2]))


@pytest.mark.filterwarnings("ignore:Domain shift")
def test_jobs_predict_the_masks_of_one_process(
    tmp_path: Path, make_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    data, slurm = make_dataset(train=2, val=2, test=4), ["--slurm", "{cluster: local, slurm_array_parallelism: 1}"]
    model = str(packaged_model())
    assert main(["predict", str(data / "images"), "-m", model, "-o", "shared", "--backend", "torch", *slurm]) == 0
    predict_files(Predictor(model), find_images([str(data / "images")]), tmp_path / "alone")
    assert masks(tmp_path / "shared") == masks(tmp_path / "alone")


def _die_at_two(number: int) -> int:
    if number == 2:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def _die_once(file: Path) -> str:
    if not file.exists():
        file.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return file.name


def _refuse_two(number: int) -> int:
    if number == 2:
        raise UsageError("Expected no two.", code="two")
    return number
