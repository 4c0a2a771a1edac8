"""Folding: the same maps, fewer layers, and the detector stays as it was."""

import pytest
import torch
from torch import nn

from core.config import Config
from core.detectors.segmenter import Segmenter
from core.detectors.strided import decoder, encoder
from core.evaluation import scorer_of
from core.folding import folded


def _seasoned(module: nn.Module) -> nn.Module:
    """With statistics and factors of a training, as far from their first values as they get."""
    drawn = torch.Generator().manual_seed(0)
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            for values, low, high in ((one.running_mean, -1, 1), (one.running_var, 0.2, 3), (one.weight, -2, 2)):
                values.data.uniform_(low, high, generator=drawn)
            one.bias.data.uniform_(-1, 1, generator=drawn)
    return module.eval()


@pytest.mark.parametrize("norm", ["batch", "group", "instance", "none"])
def test_maps_stay_the_same(norm: str) -> None:
    detector = _seasoned(Segmenter(base=8, depth=2, norm=norm).build(Config().loss))
    images = torch.rand((3, 32, 32), generator=torch.Generator().manual_seed(1))
    before = {name: values.clone() for name, values in detector.state_dict().items()}
    with torch.inference_mode():
        expected = detector.anomaly_map(images[:, None])
        found = scorer_of(detector)(images)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max().clamp_min(1)
    kinds = {type(module) for module in folded(detector).modules()}
    assert nn.BatchNorm2d not in kinds
    after = detector.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_strided_and_transposed_convolutions_take_their_normalisation_in() -> None:
    layers = _seasoned(nn.Sequential(*encoder(4, 2, 3, 6, "batch"), *decoder(4, 2, 3, 6, "batch")))
    images = torch.rand((2, 1, 32, 32), generator=torch.Generator().manual_seed(1))
    ready = folded(layers)
    with torch.inference_mode():
        torch.testing.assert_close(ready(images), layers(images), rtol=1e-5, atol=1e-5)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in ready.modules())


def test_statistics_of_the_batch_are_not_folded() -> None:
    training = folded(_seasoned(Segmenter(base=4, depth=1).build(Config().loss)).train())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in training.modules()) == 6
