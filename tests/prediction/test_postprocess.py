"""From logits to labels, against the definitions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tmunet.prediction.postprocess import decide, labels, probabilities


def test_one_output_means_two_classes_by_the_sigmoid() -> None:
    logits = torch.tensor([-2.0, 0.0, 1e-3, 3.0]).reshape(1, 1, 2, 2)
    background, foreground = probabilities(logits)[0]
    assert foreground.flatten().tolist() == pytest.approx([0.119203, 0.5, 0.50025, 0.952574], abs=1e-6)
    assert torch.equal(background, 1 - foreground)
    assert decide(logits).flatten().tolist() == [0, 0, 1, 1]  # one half is not above one half


@given(K=st.integers(3, 255), seed=st.integers(0, 99))
def test_several_outputs_are_a_softmax_and_the_likeliest_wins(K: int, seed: int) -> None:
    logits = torch.randn(2, K, 3, 4, generator=torch.Generator().manual_seed(seed))
    probability = probabilities(logits.to(torch.bfloat16))
    assert probability.dtype == torch.float32
    assert torch.allclose(probability.sum(1), torch.ones(2, 3, 4))
    assert labels(probabilities(logits)).dtype == torch.uint8
    assert torch.equal(decide(logits).long(), logits.argmax(1))


def test_two_outputs_are_decided_as_one_and_the_threshold_is_one_half() -> None:
    logits = torch.tensor([-2.0, 0.0, 1e-5, 3.0]).reshape(1, 1, 2, 2)
    assert decide(logits).flatten().tolist() == [0, 0, 1, 1]
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    assert torch.equal(decide(two), decide(logits))
