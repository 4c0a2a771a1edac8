"""Equations 3 to 5 against their literal evaluation, and gradients where they could break."""

import numpy as np
import pytest
import torch

from core.losses import Combo


def _literal(logits: np.ndarray, mask: np.ndarray, alpha: float, smooth: float) -> float:
    probability = 1 / (1 + np.exp(-logits))
    dice = np.mean(
        [
            1 - (2 * (p * m).sum() + smooth) / (p.sum() + m.sum() + smooth)
            for p, m in zip(probability, mask, strict=True)
        ]
    )
    bce = -np.mean(mask * np.log(probability) + (1 - mask) * np.log(1 - probability))
    return float(alpha * dice + (1 - alpha) * bce)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_the_combo_loss_is_equation_3(alpha: float) -> None:
    rng = np.random.default_rng(0)
    logits, mask = rng.normal(0, 2, (3, 8, 8)), (rng.random((3, 8, 8)) < 0.2).astype(float)
    found = Combo(alpha=alpha)(torch.from_numpy(logits), torch.from_numpy(mask))
    assert float(found) == pytest.approx(_literal(logits, mask, alpha, 1.0), rel=1e-5)


def test_dice_of_the_batch_is_one_dice() -> None:
    logits, mask = torch.full((2, 4, 4), 20.0), torch.zeros(2, 4, 4)
    mask[0] = 1
    slices, batch = (float(Combo(alpha=1.0, dice=over)(logits, mask)) for over in ("slice", "batch"))
    assert batch == pytest.approx(1 - 33 / 49, abs=1e-4)
    assert slices == pytest.approx((0 + 16 / 17) / 2, abs=1e-4)


@pytest.mark.parametrize("fill", [0.0, 1.0])
@pytest.mark.parametrize("level", [-80.0, 0.0, 80.0])
def test_gradients_are_finite_on_constant_masks(fill: float, level: float) -> None:
    logits = torch.full((2, 8, 8), level, requires_grad=True)
    loss = Combo()(logits, torch.full((2, 8, 8), fill))
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_soft_labels_follow_the_same_equations(alpha: float) -> None:
    rng = np.random.default_rng(1)
    logits, mask = rng.normal(0, 2, (3, 8, 8)), rng.random((3, 8, 8))
    found = Combo(alpha=alpha)(torch.from_numpy(logits), torch.from_numpy(mask))
    assert float(found) == pytest.approx(_literal(logits, mask, alpha, 1.0), rel=1e-5)
