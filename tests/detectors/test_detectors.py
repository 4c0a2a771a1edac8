"""The contract that every method of detection signs."""

import pytest
import torch
from safetensors.torch import load, save

from core.detectors import (
    AAE,
    VAE,
    VQVAE,
    Batch,
    ContextEncoder,
    CutPasteClassifier,
    Denoiser,
    FAnoGAN,
    Method,
    Reconstructing,
    Sampling,
    Segmenter,
    Settling,
)
from core.detectors.unet import Norm
from core.losses import Combo

NORMS: tuple[Norm, ...] = ("batch", "instance", "group", "none")
METHODS: list[Method] = [
    *(Segmenter(base=2, depth=depth, norm=norm) for depth in (1, 3) for norm in NORMS),
    Denoiser(base=2, depth=2),
    Denoiser(base=6, depth=1),  # eight groups do not divide its channels
    *(ContextEncoder(base=2, depth=depth, latent=3, norm=norm) for depth in (1, 3) for norm in ("batch", "group")),
    VAE(base=2, depth=1, latent=2, norm="batch", distance="l2"),
    VAE(base=2, depth=3, latent=2, scored_by="kl-gradient"),
    VAE(base=2, depth=2, latent=2, context_weight=0.5, norm="group", scored_by="combined"),
    VQVAE(base=2, depth=2, codes=8, latent=4, prior_width=4, prior_layers=2, restorations=3),
    FAnoGAN(base=2, depth=2, latent=2, critic_turns=2),
    FAnoGAN(base=2, depth=2, latent=2, critic_turns=2, feature_weight=0.1),
    AAE(base=2, depth=2, latent=2, critic=4),
    CutPasteClassifier(base=2, depth=2, embedding=4),
]


def _built(method: Method, seed: int = 0) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return method.build(Combo())


def _images(count: int = 3, height: int = 16, width: int = 24) -> torch.Tensor:
    return torch.rand(count, 1, height, width, generator=torch.Generator().manual_seed(0))


def _batch(images: torch.Tensor, mask: torch.Tensor, progress: float = 0.5) -> Batch:
    return Batch(images, mask, images.clone(), progress, torch.Generator().manual_seed(0))


def _trained(method: Method) -> torch.nn.Module:
    """After a few steps at the beginning and at the end of a training, and settled."""
    detector, images = _built(method).train(), _images()
    optimiser = torch.optim.Adam(detector.parameters(), lr=1e-3)
    for progress in (0.0, 0.99):
        for _ in range(4):
            optimiser.zero_grad()
            detector.training_loss(_batch(images, images[:, 0].round(), progress)).backward()
            optimiser.step()
    detector.eval()
    if isinstance(detector, Settling):
        detector.settle(iter([images[:2], images[2:]]))
    return detector


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_only_a_staged_loss_depends_on_how_much_is_done(method: Method) -> None:
    detector, images = _built(method).train(), _images()
    losses = [detector.training_loss(_batch(images, images[:, 0].round(), done)) for done in (0.0, 0.99, 0.0)]
    assert method.staged == (len({float(loss.detach()) for loss in losses}) > 1)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_method_that_learns_from_healthy_slices_alone_sees_no_outlier(method: Method) -> None:
    images, losses = _images(), set()
    for mask in (images[:, 0].round(), 1 - images[:, 0].round()):
        altered = torch.where(mask[:, None] > 0, 1 - images, images)
        batch = Batch(altered, mask, images, 0.5, torch.Generator().manual_seed(0))
        losses.add(float(_built(method).train().training_loss(batch).detach()))
    assert method.uses_outliers == (len(losses) > 1)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_an_anomaly_map_has_the_slices_shape_and_is_finite(method: Method) -> None:
    found = _built(method).eval().anomaly_map(_images())
    assert found.shape == (3, 16, 24)
    assert found.dtype == torch.float32
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_reconstruction_is_a_slice(method: Method) -> None:
    detector, images = _trained(method), _images()
    assert isinstance(detector, Reconstructing) != isinstance(method, Segmenter | CutPasteClassifier)
    if isinstance(detector, Reconstructing):
        found = detector.reconstruction(images)
        assert found.shape == images.shape
        assert found.dtype == torch.float32
        assert torch.isfinite(found).all()


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_slices_of_its_own_follow_from_the_generator_alone(method: Method) -> None:
    detector, images = _trained(method), _images()
    assert isinstance(detector, Sampling) == isinstance(method, VAE | VQVAE | FAnoGAN | AAE)
    if isinstance(detector, Sampling):
        found = detector.samples(images, torch.Generator().manual_seed(3))
        assert found.shape == images.shape
        assert found.dtype == torch.float32
        assert torch.isfinite(found).all()
        assert not torch.equal(found[0], found[1])
        assert torch.equal(found, detector.samples(torch.zeros_like(images), torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_in_evaluation_a_slice_is_scored_alone(method: Method) -> None:
    detector, images = _trained(method), _images()
    together = detector.anomaly_map(images).sigmoid()
    for image, expected in zip(images, together, strict=True):
        torch.testing.assert_close(detector.anomaly_map(image[None]).sigmoid()[0], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_every_weight_learns_and_gradients_are_finite(method: Method, label: float) -> None:
    detector = _built(method).train()
    images = _images()
    # Stages follow the progress, and adversaries the steps. And an output layer that begins near zero lets what lies
    # before it see a gradient only after its first step.
    optimiser = torch.optim.Adam(detector.parameters(), lr=1e-2)
    learned = set()
    for progress in (0.0, 0.99):
        for _ in range(4):
            optimiser.zero_grad()
            loss = detector.training_loss(_batch(images, torch.full((3, 16, 24), label), progress))
            assert torch.isfinite(loss)
            loss.backward()
            optimiser.step()
            for name, parameter in detector.named_parameters():
                if parameter.grad is not None:
                    assert torch.isfinite(parameter.grad).all(), name
                    # A bias before a normalisation has a gradient of zero; no other weight may.
                    if parameter.grad.any() or parameter.ndim == 1:
                        learned.add(name)
    assert learned == {name for name, parameter in detector.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_training_draws_from_the_batch_alone(method: Method) -> None:
    losses = []
    for seed in (0, 1):
        detector = _built(method).train()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            losses.append([detector.training_loss(_batch(_images(), _images()[:, 0], at)).item() for at in (0.0, 0.99)])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_a_detector_follows_from_its_seed(method: Method) -> None:
    one, same, other = (_built(method, seed).eval().anomaly_map(_images()) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_weights_survive_safetensors(method: Method) -> None:
    detector, fresh = _trained(method), _built(method, seed=1).eval()
    fresh.load_state_dict(load(save(detector.state_dict())))
    assert torch.equal(fresh.anomaly_map(_images()), detector.anomaly_map(_images()))


def test_training_begins_at_no_outlier_anywhere() -> None:
    probability = _built(Segmenter(base=4, depth=2)).train().anomaly_map(_images()).sigmoid()
    assert probability.mean().item() == pytest.approx(0.047, abs=0.02)


def test_a_trained_detector_finds_what_it_was_trained_on() -> None:
    images = _images(8) * 0.3
    mask = torch.zeros(8, 16, 24)
    mask[:, 4:9, 6:12] = 1
    images = images + 0.6 * mask[:, None]
    detector = _built(Segmenter(base=4, depth=2)).train()
    optimiser = torch.optim.Adam(detector.parameters(), lr=1e-2)
    for _ in range(40):
        optimiser.zero_grad()
        detector.training_loss(_batch(images, mask)).backward()
        optimiser.step()
    found = detector.eval().anomaly_map(images)
    assert ((found > 0) == (mask > 0)).float().mean() > 0.98
