"""One rule for class counts: 1 is a sigmoid, K > 1 a softmax with the background; in networks, loss, probabilities, metrics."""

import pytest
import torch

import tmunet
from tmunet.metrics.torchmetrics import DiceScore
from tmunet.model_config import ModelConfig
from tmunet.prediction.postprocess import labels, probabilities


@pytest.mark.parametrize("num_classes", [1, 2, 3])
def test_a_class_count_means_the_same_everywhere(num_classes: int) -> None:
    network = tmunet.create_model("tmunet_t", in_channels=1, num_classes=num_classes)
    assert network.config == tmunet.TMUNet(network.config).config  # type: ignore[arg-type]
    logits = network(torch.randn(2, 1, 32, 32))
    assert logits.shape == (2, num_classes, 32, 32)
    target = torch.randint(max(2, num_classes), (2, 32, 32))
    assert tmunet.DiceCELoss()(logits, target).isfinite()
    probability = probabilities(logits)
    assert probability.shape == (2, max(2, num_classes), 32, 32)
    if num_classes == 1:
        assert torch.allclose(probability[:, 1], torch.sigmoid(logits[:, 0]))
    else:
        assert torch.allclose(probability, torch.softmax(logits, dim=1))
    metric = DiceScore(num_classes=num_classes, average="none")
    metric.update(labels(probability), target)
    assert metric.compute().numel() == max(1, num_classes - 1)


def test_a_model_of_two_names_has_one_output_and_of_more_names_one_each() -> None:
    assert [ModelConfig("tmunet_t", classes=tuple("abcd"[:k])).outputs for k in (2, 3, 4)] == [1, 3, 4]
    assert tmunet.list_models("tmunet_[tsb]") == ("tmunet_t", "tmunet_s", "tmunet_b")
    assert tmunet.TMUNet(in_channels=1).config.in_channels == 1
