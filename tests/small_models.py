"""Models small enough for every test: a random TM-UNet, and a network whose mask is known."""

import torch
from torch import Tensor, nn

from tmunet.data.data_config import Preprocess
from tmunet.data.preprocess import IMAGENET_MEAN, IMAGENET_SD
from tmunet.data.training_stats import Scale, Spread, Turns
from tmunet.model import TrainedModel
from tmunet.model_config import ModelConfig

TWO = ("background", "foreground")
THREE = ("background", "a", "b")
ALL_SIZES = Scale(Spread(1e-3, 1.0, 1e3), Spread(1e-3, 1.0, 1e3))  # a window takes images as they are; no size is new
ALL_TURNS = Turns(horizontal_flip=True, vertical_flip=True, quarter_turns=True)


def random_model(classes: tuple[str, ...] = TWO, size: int = 32, channels: int = 3, seed: int = 0) -> TrainedModel:
    """A TM-UNet with random weights, whose head is turned up so that masks of noise hold every class."""
    config = ModelConfig(
        "tmunet_t",
        classes=classes,
        preprocess=Preprocess(size, channels, "image"),
        scale=ALL_SIZES,
        turns=ALL_TURNS,
        provenance={"data": "007", "seed": seed, "note": "a: b", "version": "3.10"},
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = config.create_network().eval().requires_grad_(False)
        network.get_parameter("head.weight").mul_(40)
        noise = torch.randn(1, channels, size, size)
        head_bias = network.get_parameter("head.bias")
        head_bias.sub_(network(noise).mean((0, 2, 3)))
    return TrainedModel(network, config)


class Bright(nn.Module):
    """Looks at every pixel by itself: the logit is `gain` times how much its mean exceeds one half."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.pixel = nn.Conv2d(3, 1, 1).requires_grad_(False)
        mean, sd = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_SD)
        self.pixel.weight.copy_((gain * sd / 3).reshape(1, 3, 1, 1))
        self.pixel.bias.copy_(gain * (mean.mean() - 0.5))  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.pixel(x)
        return logits


def bright_model(gain: float = 8.0, size: int = 32) -> TrainedModel:
    """A model whose mask is where the mean of the three channels exceeds one half."""
    preprocess = Preprocess(size, 3, "imagenet")
    return TrainedModel(
        Bright(gain).eval(), ModelConfig("tmunet_t", preprocess=preprocess, scale=ALL_SIZES, turns=ALL_TURNS)
    )


def colored_model(size: int = 32) -> TrainedModel:
    """A model of three classes whose logits are the three channels, blurred a little."""
    blur = nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False).requires_grad_(False)
    blur.weight.fill_(1 / 9)
    preprocess = Preprocess(size, 3, "image")
    return TrainedModel(
        blur.eval(), ModelConfig("tmunet_t", classes=THREE, preprocess=preprocess, scale=ALL_SIZES, turns=ALL_TURNS)
    )
