"""The choice of backend, threads and batch size at start."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tmunet.prediction.pipeline import Pipeline, ProbabilityMap
from tmunet.serving import engine as module
from tmunet.serving.engine import MAX_BATCH, choose_engine

from .servers import noise


@pytest.fixture(autouse=True)
def fast_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLOW", 1000.0)  # also on a busy machine


def test_images_get_in_a_batch_what_they_get_alone(models: tuple[Path, Path]) -> None:
    engine = choose_engine("two", str(models[0]), "torch")
    assert (engine.name, engine.predictor.backend, engine.threads) == ("two", "torch", 1)
    inputs = [engine.predictor.pipeline.prepare(noise(seed)) for seed in range(engine.batch_size)]
    for x, found in zip(inputs, engine.run(inputs), strict=True):
        (alone,) = engine.run([x])
        assert torch.equal(alone.probability, found.probability)
        assert (alone.agreement, alone.shifts) == (found.agreement, found.shifts)


@pytest.mark.parametrize("differs_at", [2, 4, None])
def test_a_batch_that_changes_answers_is_not_used(
    models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, differs_at: int | None
) -> None:
    clock = iter(np.arange(0, 1e6))  # a batch takes as long as an image, so that the largest one wins

    def predict_each(self: Pipeline, inputs: Any) -> Any:
        batch = list(inputs)
        changed = differs_at is not None and len(batch) >= differs_at
        return iter([ProbabilityMap(one.x + float(changed), None, one.shifts) for one in batch])

    monkeypatch.setattr(Pipeline, "predict_each", predict_each)
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    engine = choose_engine("two", str(models[0]), "torch")
    assert engine.batch_size == (MAX_BATCH if differs_at is None else differs_at - 1)


def test_the_fastest_backend_is_taken(models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_backends", lambda *_: ["torch", "compile"])
    monkeypatch.setattr(module._Candidate, "_largest_batch", lambda _: 1)
    seconds = {"torch": 2.0, "compile": 1.0}
    monkeypatch.setattr(module._Candidate, "_run", lambda self, _: ([], seconds[self.predictor.backend]))
    assert choose_engine("two", str(models[0])).predictor.backend == "compile"
