"""Presets of generative detectors and of the classifier, number by number against what their authors' code or paper
says; core/presets/ names where ours are smaller.
"""

import torch

from core.detectors import AAE, VQVAE, CutPasteClassifier, FAnoGAN
from core.losses import Combo
from core.presets import PRESETS


def test_the_vq_vae_is_that_of_the_mood_challenge() -> None:
    """snavalm/lsr_mood_challenge_2020 @6c4c48b."""
    config = PRESETS["vq-vae"]
    shape = config.detector
    assert isinstance(shape, VQVAE)
    assert (shape.base, shape.depth, shape.codes) == (16, 3, 128)
    assert (shape.restorations, shape.quantile, shape.temperature) == (15, 0.9, 3.0)
    training = config.training
    assert (training.epochs * shape.prior_from, training.batch) == (600, 8 * 8)
    assert (training.learning_rate, training.clip, shape.betas) == (1e-4, 1.0, (0.9, 0.999))
    detector = shape.build(Combo())
    assert detector.codes(torch.zeros(1, 1, 160, 160)).shape == (1, 20, 20)
    assert detector.codebook.entries.shape == (128, 64)


def test_f_anogan_is_schlegls() -> None:
    """tSchlegl/f-AnoGAN."""
    config = PRESETS["f-anogan"]
    shape = config.detector
    assert isinstance(shape, FAnoGAN)
    assert (shape.critic_turns, shape.penalty, shape.kappa, shape.betas) == (5, 10.0, 1.0, (0.0, 0.9))
    training = config.training
    assert (training.batch, training.learning_rate) == (64, 1e-4)
    slices = 45 * 90
    steps = training.epochs * -(-slices // training.batch)
    assert abs(steps * (1 - shape.encoder_from) - 50_000) < 1000
    latent = shape.build(Combo()).noise(torch.zeros(1, 1, 64, 64), torch.Generator())
    assert latent.numel() == 128


def test_the_adversarial_autoencoder_is_baurs() -> None:
    """StefanDenn3r/Unsupervised_Anomaly_Detection_Brain_MRI @3e413c0, constrained AAE."""
    config = PRESETS["aae"]
    shape = config.detector
    assert isinstance(shape, AAE)
    assert (shape.rho, shape.kappa, shape.penalty) == (1.0, 1.0, 10.0)
    assert (config.training.batch, config.training.learning_rate) == (8, 1e-4)
    assert shape.build(Combo()).encoder(torch.zeros(1, 1, 128, 128)).shape == (1, 8, 8, 8)


def test_the_classifiers_rectangles_are_cutpastes() -> None:
    """Li et al., 2021, as read in LilitYolyan/CutPaste."""
    config = PRESETS["cutpaste-classifier"]
    mask = config.synthesis.mask
    assert isinstance(config.detector, CutPasteClassifier)
    assert mask.kind == "rectangle"
    assert (mask.min_area, mask.max_area, mask.max_aspect) == (0.02, 0.15, 3.3)
    assert [name for name, one in config.synthesis.mix.members.items() if one.weight > 0] == ["cutpaste"]
    assert config.synthesis.mix.cutpaste.jitter == 0.1
    assert config.synthesis.probability == 0.5
    assert config.score == "foreground_mean"
