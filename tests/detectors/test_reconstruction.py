"""Detectors that reconstruct: each learns what healthy slices look like, and what it scores follows its definition."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from core.checkpoint import save_detector
from core.config import Config, Training
from core.detectors import VAE, Batch, ContextEncoder, Denoiser, Method, Reconstructing
from core.detectors.vae import divergence, smoothed
from core.errors import BadConfig
from core.evaluation import scorer_of
from core.exporting import export
from core.losses import Combo
from core.presets import PRESETS
from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.table import SliceTable, write_table
from core.training import train

SIDE = 32
LESION = (slice(12, 18), slice(20, 26))
SMALL = {
    "dae": ("dae", Denoiser(base=8, depth=2)),
    "context-encoder": ("context-encoder", ContextEncoder(base=8, depth=4, latent=8)),
    "vae": ("vae", VAE(base=8, growth=2, latent=4)),
    "ce-vae": ("ce-vae", VAE(base=8, growth=2, latent=4, context_weight=0.5, scored_by="combined")),
}


def healthy(count: int, seed: int) -> np.ndarray:
    """Discs whose left half is bright and whose right half is dark, (count, 32, 32) uint8."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    grey = np.where(columns < 0, 200, 60) + rng.normal(0, 6, (count, SIDE, SIDE)) + rng.normal(0, 8, (count, 1, 1))
    return np.where(rows**2 + columns**2 < 14**2, grey.clip(1, 255), 0).astype(np.uint8)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> SliceTable:
    """96 slices of four subjects."""
    path = tmp_path_factory.mktemp("halves") / "healthy.arrow"
    images = healthy(96, 0).reshape(4, 24, SIDE, SIDE)
    index = np.arange(24, dtype=np.int32)
    return write_table(
        path,
        (
            VolumeSlices("made", str(n), str(n), one, np.zeros_like(one), index, [None] * 24)
            for n, one in enumerate(images)
        ),
        TableMetadata(),
    )


@pytest.mark.parametrize("name", SMALL)
def test_a_bright_square_never_seen_stands_out(name: str, table: SliceTable) -> None:
    """It is as bright as the healthy left half, so neither its grey level tells it nor a detector untrained."""
    preset, method = SMALL[name]
    training = Training(epochs=20, batch=16, learning_rate=3e-3, precision="fp32")
    config = Config(synthesis=PRESETS[preset].synthesis, detector=method, training=training)
    images = _with_lesion(200)
    assert _auroc(images, images) < 0.85
    assert _auroc(_maps(_built(method), images), images) < 0.85
    *_, last = train(config, table, seed=0, device="cpu")
    assert _auroc(_maps(last.detector, images), images) > 0.95


def test_a_training_interrupted_goes_on_as_if_it_had_not_been(table: SliceTable, tmp_path: Path) -> None:
    """What a VAE draws follows from the step alone, also for the second pass over the erased slices."""
    training = Training(epochs=3, batch=16, learning_rate=1e-3, averaging=0.9)
    config = Config(PRESETS["ce-vae"].synthesis, SMALL["ce-vae"][1], training=training)
    rows = np.arange(32)
    *_, whole = train(config, table, seed=1, rows=rows, device="cpu")
    epochs = train(config, table, seed=1, rows=rows, device="cpu", checkpoints=tmp_path)
    next(epochs)
    epochs.close()
    *_, resumed = train(config, table, seed=1, rows=rows, device="cpu", checkpoints=tmp_path)
    images = _with_lesion(200)
    np.testing.assert_array_equal(_maps(whole.detector, images), _maps(resumed.detector, images))


@pytest.mark.parametrize("method", [method for _, method in SMALL.values()], ids=list(SMALL))
def test_the_residual_is_that_of_the_reconstruction_on_tissue(method: Method) -> None:
    detector = _built(replace(method, scored_by="reconstruction") if isinstance(method, VAE) else method)
    images = _planes(healthy(3, 1))
    assert isinstance(detector, Reconstructing)
    with torch.inference_mode():
        residual = (images - detector.reconstruction(images)).abs()[:, 0]
        found = detector.anomaly_map(images).sigmoid()
    tissue = images[:, 0] > 0
    torch.testing.assert_close(found[tissue], residual[tissue].clamp(1e-4, 1 - 1e-4), atol=1e-5, rtol=1e-3)
    assert (found[~tissue] < 2e-4).all()


def test_a_denoiser_sees_no_noise_around_the_tissue() -> None:
    clean = _planes(healthy(2, 0))
    detector = _built(Denoiser(base=4, depth=1))
    torch.nn.init.normal_(detector.unet.output.weight)
    noise = torch.rand(clean.shape, generator=torch.Generator().manual_seed(1))
    around = torch.where(clean > 0, clean, noise)
    assert detector.training_loss(_batch(around, clean)) == detector.training_loss(_batch(clean, clean))
    assert detector.training_loss(_batch(noise, clean)) != detector.training_loss(_batch(clean, clean))


def test_a_context_encoder_answers_for_the_erased_region_first() -> None:
    clean = _planes(healthy(2, 0))
    mask = torch.zeros(2, SIDE, SIDE)
    mask[:, *LESION] = 1
    wrong = (_built(ContextEncoder(base=4, depth=2, latent=2, norm="none")).reconstruction(clean) - clean) ** 2
    inside, outside = wrong[:, 0][mask > 0], wrong[:, 0][mask == 0]
    for elsewhere in (0.0, 0.1, 1.0):
        detector = _built(ContextEncoder(base=4, depth=2, latent=2, norm="none", elsewhere=elsewhere))
        expected = (inside.sum() + elsewhere * outside.sum()) / (inside.numel() + elsewhere * outside.numel())
        torch.testing.assert_close(detector.training_loss(_batch(clean, clean, mask)), expected)


@pytest.mark.parametrize("distance", ["l1", "l2"])
def test_a_vaes_loss_is_its_definition(distance: Literal["l1", "l2"]) -> None:
    clean, image = _planes(healthy(2, 0)), _planes(_with_lesion(200))[:2]
    losses = {}
    for context, beta in ((0.0, 0.0), (0.0, 2.0), (0.25, 2.0)):
        detector = _built(
            VAE(base=4, growth=2, depth=2, latent=2, distance=distance, beta=beta, context_weight=context)
        )
        losses[context, beta] = detector.training_loss(_batch(image, clean))
    mean, log_std = detector.latent(clean)
    prior = torch.distributions.Normal(0.0, 1.0)
    kl = torch.distributions.kl_divergence(torch.distributions.Normal(mean, log_std.exp()), prior)
    torch.testing.assert_close(divergence(mean, log_std), kl)
    torch.testing.assert_close(losses[0.0, 2.0], losses[0.0, 0.0] + 2 * kl.mean())
    drawing = torch.Generator().manual_seed(0)
    parts = []
    for seen in (clean, image):
        mean, log_std = detector.latent(seen)
        drawn = mean + log_std.exp() * torch.randn(mean.shape, generator=drawing)
        apart = detector.decoder(drawn) - (2 * clean - 1)
        parts.append(apart.abs().mean() if distance == "l1" else (apart**2).mean())
    torch.testing.assert_close(losses[0.0, 0.0], parts[0])
    torch.testing.assert_close(losses[0.25, 2.0], 0.75 * losses[0.0, 2.0] + 0.25 * parts[1])


def test_the_kl_gradient_is_that_of_each_slice_alone_also_under_inference_mode() -> None:
    detector = _built(VAE(base=4, growth=2, depth=2, latent=2)).double()
    images = _planes(healthy(3, 0)).double()
    with torch.inference_mode():
        found = detector.kl_gradient(images)
        step = torch.zeros_like(images)
        step[:, 0, 11, 17] = 1e-3

        def kl(slices: torch.Tensor) -> torch.Tensor:
            mean, log_std = (part.double() for part in detector.encoder(2 * slices - 1).chunk(2, 1))
            return divergence(mean, log_std).sum((1, 2, 3))

        expected = ((kl(images + step) - kl(images - step)) / 2e-3).abs()
    torch.testing.assert_close(found[:, 0, 11, 17].double(), expected, rtol=1e-3, atol=1e-6)
    assert all(parameter.grad is None for parameter in detector.parameters())


def test_smoothing_keeps_levels_and_spreads_points() -> None:
    torch.testing.assert_close(smoothed(torch.full((2, 1, 20, 30), 3.0)), torch.full((2, 1, 20, 30), 3.0))
    point = torch.zeros(1, 1, 128, 128)
    point[0, 0, 64, 64] = 1
    spread = smoothed(point)[0, 0]
    assert spread.sum().item() == pytest.approx(1, abs=1e-5)
    rows, columns = torch.nonzero(spread, as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (61, 67, 61, 67)  # the example's seven taps


def test_the_combined_score_is_the_product() -> None:
    shape = VAE(base=4, growth=2, depth=2, latent=2)
    alone, both = (_built(replace(shape, scored_by=name)) for name in ("kl-gradient", "combined"))
    images = _planes(healthy(3, 0))
    with torch.inference_mode():
        gradient, combined = alone.anomaly_map(images), both.anomaly_map(images)
        residual = (images - both.reconstruction(images)).abs()[:, 0].clamp_min(1e-3)
    tissue = images[:, 0] > 0
    torch.testing.assert_close(combined[tissue], (gradient + 2 * residual.log())[tissue], rtol=1e-4, atol=1e-4)


def test_what_needs_gradients_is_not_exported(tmp_path: Path) -> None:
    method = VAE(base=2, growth=2, depth=1, latent=2, scored_by="combined")
    save_detector(tmp_path / "made", _built(method), Config(detector=method))
    with pytest.raises(BadConfig, match=r"scored_by = 'combined'.*expected 'reconstruction'"):
        export(tmp_path / "made", tmp_path / "detector.pt2")
    assert not (tmp_path / "detector.pt2").exists()
    plain = replace(method, scored_by="reconstruction")
    save_detector(tmp_path / "made", _built(plain), Config(detector=plain))
    assert export(tmp_path / "made", tmp_path / "detector.pt2") < 1e-4


def _built(method: Method) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return method.build(Combo()).eval()


def _planes(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).float()[:, None] / 255


def _batch(image: torch.Tensor, clean: torch.Tensor, mask: torch.Tensor | None = None) -> Batch:
    mask = torch.zeros_like(clean[:, 0]) if mask is None else mask
    return Batch(image, mask, clean, 0.5, torch.Generator().manual_seed(0))


def _with_lesion(grey: int) -> np.ndarray:
    images = healthy(12, 1)
    images[:, *LESION] = grey
    return images


def _maps(detector: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return scorer_of(detector)(_planes(images)[:, 0]).numpy()


def _auroc(maps: np.ndarray, images: np.ndarray) -> float:
    """Lesion against healthy tissue."""
    truth = np.zeros(images.shape, bool)
    truth[:, *LESION] = True
    tissue = images > 0
    return float(roc_auc_score(truth[tissue], maps[tissue]))
