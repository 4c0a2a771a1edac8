"""Config() is the paper, section III.A, number by number."""

import torch
from torch import nn

from core.config import Config
from core.detectors import UNet
from core.slices.preprocess import Preprocessing


def test_synthesis_is_the_papers() -> None:
    synthesis = Config().synthesis
    assert synthesis.mask.kind == "brush"
    assert (synthesis.mask.min_points, synthesis.mask.max_points) == (8, 32)
    assert (synthesis.mask.min_width, synthesis.mask.max_width) == (4, 16)
    assert (synthesis.mask.min_length, synthesis.mask.max_length) == (8, 24)
    assert synthesis.mix.noise == type(synthesis.mix.noise)(weight=1.0, std=1.0)
    assert synthesis.mix.shift.weight == synthesis.mix.scale.weight == 1.0
    assert synthesis.mix.shift.std == synthesis.mix.scale.std == 1.0
    assert (synthesis.probability, synthesis.edge, synthesis.min_foreground) == (1.0, 0.0, 0.0)
    assert synthesis.label == "mask"


def test_slices_are_the_papers() -> None:
    """90 central slices of each HCP volume, histogram equalised, 128 x 128 (III.B)."""
    assert (Preprocessing().side, Preprocessing().slices, Preprocessing().equalise) == (128, 90, "volume")


def test_training_is_the_papers() -> None:
    config = Config()
    assert config.loss.alpha == 0.5
    assert (config.training.epochs, config.training.batch, config.training.learning_rate) == (10, 16, 1e-4)
    assert (config.training.schedule, config.training.averaging, config.training.clip) == ("constant", 0.0, 0.0)
    assert config.score == "mean"


def test_the_u_net_is_figure_2() -> None:
    network = UNet()
    biases_left_out = sum(norm.num_features for norm in network.modules() if isinstance(norm, nn.BatchNorm2d))
    assert sum(parameter.numel() for parameter in network.parameters()) + biases_left_out == 7_765_442
    assert network(torch.zeros(1, 1, 128, 128)).shape == (1, 2, 128, 128)
    widths = [block[0].out_channels for block in (*network.down, network.bottom, *network.up)]
    assert widths == [32, 64, 128, 256, 512, 256, 128, 64, 32]
