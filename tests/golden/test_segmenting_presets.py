"""Presets of the literature, number by number, and that nothing of the paper's own mix is left in them."""

import pytest

from core.config import Config
from core.presets.segmenting import CUTPASTE, FPI, MANY_TASKS, NSA, PII
from core.synthesis import Ellipse, Rectangle, Square


@pytest.mark.parametrize(("preset", "core", "name"), [(FPI, 0.5, "foreign"), (PII, 0.8, "poisson")])
def test_fpi_and_pii(preset: Config, core: float, name: str) -> None:
    # Half-widths of 5 to 20 % of a side.
    assert preset.synthesis.mask == Square(min_side=128 * 0.1, max_side=128 * 0.4, core=core)
    member = preset.synthesis.mix.members[name]
    assert (member.min_factor, member.max_factor) == (0.05, 0.95)
    assert (preset.synthesis.label, preset.synthesis.epsilon / 4, preset.synthesis.count) == ("soft", 0.001, 1)
    training = preset.training
    assert (preset.loss.alpha, training.epochs, training.batch, training.learning_rate) == (0.0, 50, 32, 1e-3)


def test_cutpaste() -> None:
    assert CUTPASTE.synthesis.mask == Rectangle(min_area=0.02, max_area=0.15, max_aspect=3.3)
    assert (CUTPASTE.synthesis.mix.cutpaste.jitter, CUTPASTE.synthesis.label, CUTPASTE.loss.alpha) == (0.1, "mask", 0.0)


def test_nsa() -> None:
    synthesis, mask = NSA.synthesis, NSA.synthesis.mask
    assert isinstance(mask, Square)
    assert mask.min_side == pytest.approx(128 * 2 * 0.03)
    assert (mask.min_side + mask.max_side) / 2 == pytest.approx(128 * 2 * (0.03 + 2 * 0.05))
    assert (synthesis.count, synthesis.min_foreground, synthesis.label) == (3, 0.7, "saturating")
    assert synthesis.epsilon / 4 * 255 == pytest.approx(1)
    assert synthesis.mix.poisson.min_factor == synthesis.mix.poisson.max_factor == 1.0


def test_many_tasks() -> None:
    synthesis = MANY_TASKS.synthesis
    assert synthesis.mask == Ellipse(min_radius=128 * 0.03, max_radius=128 * 0.4)
    assert (synthesis.count, synthesis.min_foreground, synthesis.epsilon / 4) == (4, 0.5, 0.001)
    assert (MANY_TASKS.training.batch, MANY_TASKS.training.learning_rate) == (8, 1e-3)


@pytest.mark.parametrize(
    ("preset", "on"),
    [
        (FPI, {"foreign": 1}),
        (PII, {"poisson": 1}),
        (CUTPASTE, {"cutpaste": 1}),
        (NSA, {"poisson": 1}),
        (MANY_TASKS, {"gamma": 1, "warp": 2, "poisson": 1}),
    ],
)
def test_only_its_own_transforms_are_on(preset: Config, on: dict[str, float]) -> None:
    members = preset.synthesis.mix.members
    assert {name: member.weight for name, member in members.items() if member.weight} == on
