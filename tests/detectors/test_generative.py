"""Generative detectors, and the classifier, find a bright square after a short training on plain healthy slices."""

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from core.detectors import AAE, VQVAE, Batch, CutPasteClassifier, FAnoGAN, Method, Settling
from core.losses import Combo

SIDE, BATCH = 16, 8


def _healthy(count: int, generator: torch.Generator) -> Tensor:
    """Dark discs with a bright core on background 0; radius, place and greys differ."""
    rows, columns = (torch.arange(SIDE) - (SIDE - 1) / 2).expand(SIDE, SIDE).T, torch.arange(SIDE) - (SIDE - 1) / 2
    radius, down, right, dark, bright = (torch.rand(count, 1, 1, 1, generator=generator) for _ in range(5))
    distance = ((rows - down + 0.5) ** 2 + (columns - right + 0.5) ** 2).sqrt()
    tissue = torch.where(distance < 2.5, 0.8 + 0.1 * bright, 0.2 + 0.1 * dark)
    return tissue * (distance < 6.5 + radius)


def _with_square(images: Tensor, generator: torch.Generator, brightness: float | None = None) -> tuple[Tensor, Tensor]:
    """A square beside the core, of one brightness or of any; and its mask (B, H, W)."""
    mask = torch.zeros(len(images), SIDE, SIDE)
    for each, turn in zip(mask, 6.283 * torch.rand(len(images), generator=generator), strict=True):
        row, column = (int((SIDE - 3) / 2 + 4.5 * side + 0.5) for side in (turn.sin(), turn.cos()))
        each[row : row + 3, column : column + 3] = 1
    grey = torch.rand(len(images), 1, 1, 1, generator=generator) if brightness is None else brightness
    return torch.where(mask[:, None] > 0, grey, images), mask


def _trained(method: Method, steps: int, rate: float) -> torch.nn.Module:
    torch.manual_seed(0)
    detector, generator = method.build(Combo()).train(), torch.Generator().manual_seed(1)
    optimiser = torch.optim.Adam(detector.parameters(), lr=rate, betas=method.betas)
    for step in range(steps):
        clean = _healthy(BATCH, generator)
        image, mask = _with_square(clean, generator)
        left = torch.rand(BATCH, generator=generator) < 0.5
        image, mask = torch.where(left[:, None, None, None], clean, image), mask * ~left[:, None, None]
        optimiser.zero_grad()
        detector.training_loss(Batch(image, mask, clean, step / steps, generator)).backward()
        optimiser.step()
    detector.eval()
    if isinstance(detector, Settling):
        detector.settle(_healthy(32, generator) for _ in range(4))
    return detector


@pytest.mark.parametrize(
    ("method", "steps"),
    [
        (VQVAE(base=8, depth=2, codes=32, latent=16, prior_width=16, prior_layers=2), 240),
        (FAnoGAN(base=8, depth=2, critic_turns=2), 500),
        (AAE(base=8, depth=2, latent=2, critic=16), 150),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_a_bright_square_lies_above_healthy_tissue(method: Method, steps: int) -> None:
    detector = _trained(method, steps, 2e-3)
    healthy = _healthy(16, torch.Generator().manual_seed(7))
    image, mask = _with_square(healthy, torch.Generator().manual_seed(8), 0.8)
    with torch.inference_mode():
        found = detector.anomaly_map(image)
    tissue = image[:, 0] > 0
    assert roc_auc_score(mask[tissue], found[tissue]) > 0.95


def test_a_slice_with_a_bright_square_lies_farther_from_the_healthy_ones() -> None:
    detector = _trained(CutPasteClassifier(base=8, depth=2, embedding=8), 120, 2e-3)
    healthy = _healthy(32, torch.Generator().manual_seed(7))
    image, _ = _with_square(healthy, torch.Generator().manual_seed(8), 0.8)
    with torch.inference_mode():
        one, other = (detector.anomaly_map(slices).flatten(1).amax(1) for slices in (healthy, image))
    assert roc_auc_score([0] * 32 + [1] * 32, torch.cat([one, other])) > 0.95
    tissue = image[0, 0] > 0
    found = detector.anomaly_map(image)[0]
    assert found[tissue].unique().numel() == 1
    assert found[~tissue].max() < found[tissue].min()
