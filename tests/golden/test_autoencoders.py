"""Presets of autoencoders, number by number, against the code that their authors published."""

import torch

from core.config import Config
from core.losses import Combo
from core.presets import PRESETS


def _only(config: Config, transform: str) -> None:
    weights = {name: member.weight for name, member in config.synthesis.mix.members.items()}
    assert {name for name, weight in weights.items() if weight > 0} == {transform}


def test_dae_is_kascenass() -> None:
    """AntanasKascenas/DenoisingAE, src/denoising.py and src/unet.py."""
    dae = PRESETS["dae"]
    _only(dae, "coarse")
    coarse = dae.synthesis.mix.coarse
    assert (dae.synthesis.mask.kind, coarse.std, coarse.cells) == ("whole", 0.2, 16)  # noise_std, noise_res
    assert (dae.synthesis.probability, dae.synthesis.edge) == (1.0, 0.0)
    assert (dae.detector.kind, dae.detector.norm) == ("denoiser", "group")
    network = dae.detector.build(Combo()).unet
    blocks = [block[0].out_channels for block in (*network.down, network.bottom, *network.up)]
    assert blocks == [64, 128, 256, 512, 256, 128, 64]  # wf = 6, depth = 4
    training = dae.training
    assert (training.batch, training.learning_rate, training.schedule) == (16, 1e-4, "cosine")
    assert abs(training.epochs * 4050 - 2100 * 32 * 16) < 4050  # max_epochs, epoch_len, batch_size


def test_context_encoder_is_pathaks() -> None:
    """pathak22/context-encoder, train_random.lua with its README's nBottleneck=4000 and wtl2=0.999."""
    context = PRESETS["context-encoder"]
    _only(context, "erase")
    mask, erase = context.synthesis.mask, context.synthesis.mix.erase
    assert (mask.kind, (mask.min_side / 128) ** 2, mask.max_side) == ("square", 0.25, mask.min_side)  # density
    assert round(erase.min_value * 255) == round(erase.max_value * 255) == 117  # the first of the mean colour
    detector = context.detector.build(Combo())
    widths = [layer.out_channels for layer in detector.encoder if isinstance(layer, torch.nn.Conv2d)]
    assert widths == [32, 64, 128, 256, 512, 250]  # nef = 64 and five halvings, the first of 64 for its 32
    assert detector.encoder(torch.zeros(1, 1, 128, 128)).numel() == 4000  # nBottleneck
    training = context.training
    assert (training.epochs, training.batch, training.learning_rate) == (25, 64, 10 * 0.0002)  # niter, batchSize, lr
    assert context.detector.betas == (0.5, 0.999)  # beta1


def test_ce_vae_is_the_mood_examples() -> None:
    """MIC-DKFZ/mood, example_algos/algorithms/ce_vae.py, models/aes.py and util/ce_noise.py."""
    config = PRESETS["ce-vae"]
    _only(config, "erase")
    mask, erase = config.synthesis.mask, config.synthesis.mix.erase
    assert (mask.kind, mask.max_side, config.synthesis.probability) == ("square", 64, 2 / 3)  # square_size, n_squares
    assert (erase.min_value, erase.max_value) == (0.0, 1.0)  # noise_val
    vae = config.detector
    assert (vae.beta, vae.context_weight, vae.distance) == (0.01, 0.5, "l1")  # beta, ce_factor, rec_loss_fn
    assert (vae.scored_by, vae.norm) == ("combined", "none")  # score_mode, normalization_op
    detector = vae.build(Combo())
    widths = [layer.out_channels for layer in detector.encoder if isinstance(layer, torch.nn.Conv2d)]
    assert widths == [16, 64, 256, 1024, 2 * 8]  # model_feature_map_sizes, then mean and deviation
    assert detector.latent(torch.zeros(1, 1, 128, 128))[0].numel() == 512  # z_dim
    training = config.training
    assert (training.epochs, training.batch, training.learning_rate) == (20, 16, 1e-4)


def test_vae_is_the_same_without_context() -> None:
    vae, context = PRESETS["vae"], PRESETS["ce-vae"]
    assert not vae.detector.uses_outliers
    assert (vae.detector.context_weight, vae.detector.scored_by) == (0.0, "reconstruction")
    for name in ("base", "growth", "depth", "latent", "beta", "distance", "norm"):
        assert getattr(vae.detector, name) == getattr(context.detector, name)
    assert vae.training == context.training
