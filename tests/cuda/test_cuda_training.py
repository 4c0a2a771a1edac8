"""On a GPU: trainings repeat, go on, and are the same whether their steps are recorded or not."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core import training
from core.config import Config, override
from core.detectors.vqvae.codebook import Codebook
from core.evaluation import evaluate, scorer_of
from core.presets import PRESETS
from core.slices.table import SliceTable
from core.training import TrainingFailed, train

Weights = dict[str, torch.Tensor]
TINY = {"training.batch": 5, "training.epochs": 4, "training.schedule": "cosine", "training.averaging": 0.9}
NAMES = sorted(PRESETS)


def _tiny(name: str) -> Config:
    config = override(PRESETS[name], TINY)
    sizes = {"detector.depth": 3, "detector.base": 4} if hasattr(config.detector, "base") else {}
    return override(config, {path: value for path, value in sizes.items() if hasattr(config.detector, path[9:])})


def _weights(config: Config, table: SliceTable, folder: Path | None = None) -> Weights:
    *_, last = train(config, table, seed=3, device="cuda", checkpoints=folder)
    return {name: tensor.clone() for name, tensor in last.detector.state_dict().items()}


def _differing(one: Weights, two: Weights) -> list[str]:
    assert one.keys() == two.keys()
    return [name for name in one if not torch.equal(one[name], two[name])]


@pytest.mark.parametrize("name", NAMES)
def test_a_training_repeats_bit_for_bit(name: str, healthy: SliceTable) -> None:
    assert not _differing(_weights(_tiny(name), healthy), _weights(_tiny(name), healthy))


def test_a_codebook_follows_many_latents_bit_for_bit() -> None:
    torch.manual_seed(0)
    latents = torch.randn(64, 64, 32, 32, device="cuda")
    first = Codebook(8, 64).to("cuda")
    codes = first.codes(latents)
    books = [deepcopy(first) for _ in range(5)]
    for book in books:
        book.follow(latents, codes, torch.Generator("cuda").manual_seed(0))
    assert not [book for book in books if not torch.equal(book.totals, books[0].totals)]


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_training_equals_an_uninterrupted_one(name: str, healthy: SliceTable, tmp_path: Path) -> None:
    config = _tiny(name)
    begun = train(config, healthy, seed=3, device="cuda", checkpoints=tmp_path)
    next(begun)
    next(begun)
    begun.close()
    assert not _differing(_weights(config, healthy, tmp_path), _weights(config, healthy))


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("name", [name for name in NAMES if not PRESETS[name].detector.staged])
def test_recorded_steps_are_those_that_are_not(
    name: str, precision: str, healthy: SliceTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = override(_tiny(name), {"training.precision": precision, "training.clip": 1.0})
    recorded = _weights(config, healthy)

    def as_they_are(update: Callable[..., Any], _device: torch.device) -> Callable[..., Any]:
        return update

    monkeypatch.setattr(training, "Captured", as_they_are)
    assert not _differing(recorded, _weights(config, healthy))


@pytest.mark.parametrize("name", NAMES)
def test_maps_of_a_trained_detector_are_finite(name: str, healthy: SliceTable, lesioned: SliceTable) -> None:
    *_, last = train(_tiny(name), healthy, seed=0, device="cuda")
    assert np.isfinite(last.loss)
    cuda = torch.device("cuda")
    figures = evaluate(scorer_of(last.detector, bf16=True), lesioned, device=cuda).figures()
    assert all(np.isfinite(value) for value in figures.values())


def test_a_loss_that_is_not_finite_ends_the_training(healthy: SliceTable) -> None:
    begun = train(override(_tiny("paper"), {"training.averaging": 0.0}), healthy, seed=0, device="cuda")
    first = next(begun)
    with torch.no_grad():
        next(first.detector.parameters()).fill_(torch.nan)
    with pytest.raises(TrainingFailed, match="loss of epoch 2 is nan"):
        next(begun)
