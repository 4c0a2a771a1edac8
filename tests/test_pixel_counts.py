"""Counts on a device: those of NumPy exactly, in bounded memory, without waiting for the device."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import core.evaluation as evaluation
from core.evaluation import evaluate
from core.metrics import ScoreHistogram, within
from core.pixel_counts import DeviceCounts, HostCounts, PixelCounts
from core.slices.table import SliceTable

CPU = torch.device("cpu")
GROUPS = [(f"s{subject}", family) for subject in range(2) for family in ("", "bright", "dark")]


def same(one: ScoreHistogram, other: ScoreHistogram) -> bool:
    return np.array_equal(one.keys, other.keys) and np.array_equal(one.counts, other.counts)


def batches() -> list[tuple[Tensor, Tensor, Tensor, list[tuple[str, str]]]]:
    """Slices of many groups, of which some meet in one batch and some reach over several."""
    drawn = torch.Generator().manual_seed(0)
    groups = [group for place, group in enumerate(GROUPS) for _ in range(1 + 5 * (place % 3))]
    maps = torch.randn((len(groups), 16, 12), generator=drawn) * 40
    maps[::5] = maps[::5].round()  # ties, and zeros of both signs
    maps[3, 0, :6] = torch.tensor([torch.inf, -torch.inf, 0.0, -0.0, 1e-40, -1e-40])
    images = torch.randint(0, 3, maps.shape, generator=drawn).to(torch.uint8)
    truth = torch.randint(0, 2, maps.shape, generator=drawn).to(torch.uint8)
    return [
        (maps[start : start + 8], images[start : start + 8], truth[start : start + 8], groups[start : start + 8])
        for start in range(0, len(groups), 8)
    ]


def filled(counts: PixelCounts) -> PixelCounts:
    for batch in batches():
        counts.add(*batch)
    return counts


@pytest.mark.parametrize("places", [1, 2, 8])
def test_counts_on_a_device_are_those_of_numpy(places: int) -> None:
    found = filled(DeviceCounts(CPU, places)).histograms()
    expected = filled(HostCounts()).histograms()
    for one, other in zip(found, expected, strict=True):
        assert list(one) == list(other) == GROUPS
        assert all(same(one[group], other[group]) for group in GROUPS)
    maps, images, truth = (torch.cat([batch[part] for batch in batches()]) for part in range(3))
    groups = [group for batch in batches() for group in batch[3]]
    for group in GROUPS[:3]:
        rows = [place for place, one in enumerate(groups) if one == group]
        plain, tissue = ScoreHistogram(), ScoreHistogram()
        plain.add(maps[rows], truth[rows])
        tissue.add(maps[rows][images[rows] > 0], truth[rows][images[rows] > 0])
        assert same(plain, found.frame[group])
        assert same(tissue, found.tissue[group])


def test_a_table_fills_up_and_stays_as_large() -> None:
    counts = DeviceCounts(CPU, 2)
    size = counts._table.numel()
    filled(counts)
    assert counts._table.numel() == size == 2 * 4 << 20
    assert len(counts._held) <= 2


def test_a_bin_never_outgrows_its_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.pixel_counts._MOST", 500)
    found = filled(DeviceCounts(CPU, 2)).histograms()
    expected = filled(HostCounts()).histograms()
    assert all(same(found.frame[group], expected.frame[group]) for group in GROUPS)


def test_nothing_waits_for_the_device_until_the_table_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    class Waited(Exception):
        pass

    def wait(*_: object) -> None:
        raise Waited

    counts, first = DeviceCounts(CPU, 3), batches()[0]
    for name in ("cpu", "item", "nonzero", "tolist", "numpy", "unique", "bincount", "__int__", "__bool__"):
        monkeypatch.setattr(Tensor, name, wait)
    counts.add(*first)
    with pytest.raises(Waited):
        counts.histograms()


@pytest.mark.parametrize("make", [HostCounts, lambda: DeviceCounts(CPU, 2)])
def test_scores_that_are_not_numbers_are_refused(make: Callable[[], PixelCounts]) -> None:
    maps, images, truth, groups = batches()[0]
    maps = maps.clone()
    maps[2, 1, 1] = torch.nan

    def both() -> None:
        counts = make()
        counts.add(maps, images, truth, groups)
        counts.histograms()

    with pytest.raises(ValueError, match="scores are NaN"):
        both()


def test_an_evaluation_on_a_device_is_that_on_the_host(lesioned: SliceTable, monkeypatch: pytest.MonkeyPatch) -> None:
    def scorer(images: Tensor) -> Tensor:
        return torch.logit(images, eps=1e-3)

    host = evaluate(scorer, lesioned, device=CPU, batch=7)
    monkeypatch.setattr(evaluation, "counting", lambda device: DeviceCounts(device, 2))
    found = evaluate(scorer, lesioned, device=CPU, batch=7)
    assert found.figures() == host.figures()
    for one, other in ((found.frame, host.frame), (found.tissue, host.tissue)):
        assert one.keys() == other.keys()
        assert all(same(one[group], other[group]) for group in one)


@pytest.mark.parametrize("count", [1000, 600_000])
def test_a_region_is_counted_beside_the_whole(count: int) -> None:
    rng = np.random.default_rng(0)
    scores, truth, inside = (
        rng.normal(-6, 2, count).astype(np.float32),
        rng.random(count) < 0.1,
        rng.random(count) < 0.4,
    )
    every, region = ScoreHistogram(), ScoreHistogram()
    every.add(scores, truth)
    region.add(scores[inside], truth[inside])
    found = within(scores, truth, inside)
    assert same(found[0], every)
    assert same(found[1], region)
    with pytest.raises(ValueError, match="their region"):
        within(scores, truth, inside[:-1])
