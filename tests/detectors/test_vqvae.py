"""The VQ-VAE's parts: a causal prior, a codebook whose entries live, restorations that follow from the slice."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.detectors import VQVAE, Batch
from core.detectors.vqvae.codebook import Codebook
from core.detectors.vqvae.prior import Prior, Reader
from core.detectors.vqvae.restoration import restore, sample
from core.losses import Combo


def _prior(layers: int = 3, codes: int = 6) -> Prior:
    torch.manual_seed(0)
    return Prior(codes, width=8, layers=layers)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("place", [(0, 0), (0, 4), (2, 0), (3, 2), (4, 4)])
def test_a_place_knows_what_comes_before_it_and_nothing_else(layers: int, place: tuple[int, int]) -> None:
    prior = _prior(layers).double()
    codes = torch.arange(25).reshape(1, 5, 5)
    prior.names = torch.nn.Embedding(25, 8).double()  # a name of its own for each place, to tell whence gradients come
    prior.logits(prior.features(codes))[0, *place].sum().backward()
    reached = prior.names.weight.grad.abs().sum(1) > 0
    row, column = place
    before = torch.tensor([(r, c) < (row, column) for r in range(5) for c in range(5)])
    assert not reached[~before].any()
    near = torch.tensor([row - 2 <= r <= row and abs(c - column) <= 2 for r in range(5) for c in range(5)])
    assert reached[before & near].all()
    if layers == 3:
        assert torch.equal(reached, before)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5))
def test_reading_row_by_row_gives_the_same_features(seed: int, layers: int, height: int, width: int) -> None:
    prior = _prior(layers).double()
    codes = torch.randint(6, (3, height, width), generator=torch.Generator().manual_seed(seed))
    reader = Reader(prior, 3, height, width)
    maps = torch.tensor([2, 0])
    for row, features in enumerate(prior.features(codes).unbind(1)):
        reader.enter(codes[:, row - 1] if row else None)
        torch.testing.assert_close(reader.features(codes[maps, row], maps), features[maps])


def test_the_prior_learns_what_follows_what() -> None:
    prior = _prior(codes=4)
    first = torch.randint(4, (64, 1, 1), generator=torch.Generator().manual_seed(0))
    codes = (first + torch.arange(4).reshape(1, 4, 1) + torch.arange(4)) % 4
    optimiser = torch.optim.Adam(prior.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        prior.surprise(codes).mean().backward()
        optimiser.step()
    surprise = prior.surprise(codes)
    assert surprise[:, 0, 0].mean().item() == pytest.approx(torch.tensor(4.0).log().item(), abs=0.1)
    assert surprise.flatten(1)[:, 1:].max() < 0.1
    drawn = sample(prior, 40, 4, 4)
    assert torch.equal(drawn, (drawn[:, :1, :1] + torch.arange(4).reshape(1, 4, 1) + torch.arange(4)) % 4)
    assert set(drawn[:, 0, 0].tolist()) == {0, 1, 2, 3}
    wrong = codes.clone()
    wrong[:, 2, 1] = (wrong[:, 2, 1] + 2) % 4
    doubtful = torch.zeros_like(wrong, dtype=torch.bool)
    doubtful[:, 2, 1] = True
    assert torch.equal(restore(prior, wrong, doubtful, 3), codes.expand(3, -1, -1, -1))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_restoring_changes_doubtful_places_alone_and_each_map_by_itself(seed: int, share: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    prior = _prior(layers=1)
    codes = torch.randint(6, (3, 3, 4), generator=generator)
    doubtful = torch.rand(codes.shape, generator=generator) < share
    restored = restore(prior, codes, doubtful, 2)
    assert torch.equal(restored[:, ~doubtful], codes[~doubtful].expand(2, -1))
    for index in range(3):
        alone = restore(prior, codes[index : index + 1], doubtful[index : index + 1], 2)
        assert torch.equal(alone[:, 0], restored[:, index])


def test_entries_follow_the_latents_and_none_stays_dead() -> None:
    codebook, generator = Codebook(4, 2), torch.Generator().manual_seed(0)
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    codebook.entries.copy_(torch.full((4, 2), 50.0))
    for _ in range(300):
        chosen = torch.randint(4, (2, 6, 6), generator=generator)
        noise = 0.05 * torch.randn(2, 6, 6, 2, generator=generator)
        latents = (corners[chosen] + noise).permute(0, 3, 1, 2)
        codebook.follow(latents, codebook.codes(latents), generator)
    assert (torch.cdist(corners, codebook.entries).min(1).values < 0.1).all()
    assert codebook.use.sum().item() == pytest.approx(1, abs=1e-3)


def test_codes_are_the_nearest_entries_under_bf16_too() -> None:
    torch.manual_seed(0)
    codebook, latents = Codebook(64, 16), torch.randn(2, 16, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        codes = codebook.codes(latents)
    away = torch.cdist(latents.permute(0, 2, 3, 1).flatten(0, 2).double(), codebook.entries.double())
    assert torch.equal(codes.flatten(), away.argmin(1))


def test_the_first_stage_leaves_the_prior_alone_and_the_second_the_autoencoder() -> None:
    images = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    for progress, learning in ((0.0, {"encoder", "decoder"}), (0.49, {"encoder", "decoder"}), (0.5, {"prior"})):
        detector = VQVAE(base=2, depth=2, codes=8, latent=4, prior_width=4, prior_layers=2).build(Combo())
        entries = detector.codebook.entries.clone()
        batch = Batch(images, images[:, 0], images, progress, torch.Generator().manual_seed(0))
        detector.training_loss(batch).backward()
        found = {name.split(".")[0] for name, weight in detector.named_parameters() if weight.grad is not None}
        assert found == learning
        assert torch.equal(entries, detector.codebook.entries) == (learning == {"prior"})


def test_nothing_is_restored_until_a_prior_has_been_measured_and_then_the_quantiles_share_is() -> None:
    shape = VQVAE(base=2, depth=2, codes=8, latent=4, prior_width=4, prior_layers=2, quantile=0.75)
    detector = shape.build(Combo()).eval()
    images = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    detector.settle([images])
    assert torch.isinf(detector.threshold)
    assert torch.equal(detector.restorations(images)[0][0], detector.decode(detector.codes(images)))
    detector.prior_steps.add_(1)
    detector.settle([images])
    doubtful = detector.prior.surprise(detector.codes(images)) > detector.threshold
    assert doubtful.float().mean().item() == pytest.approx(0.25, abs=0.02)
    restored, weights = detector.restorations(images)
    assert restored.shape == (15, 4, 1, 32, 32)
    torch.testing.assert_close(weights.sum(0), torch.ones(4))
