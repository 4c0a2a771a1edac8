"""Evaluation against scikit-learn on all pixels at once; scores; the floor."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

from core import floor
from core.evaluation import Evaluation, evaluate, objective, tenths
from core.floor import Baseline, floor_scorers
from core.scores import SCORES, sample_scores
from core.slices.layout import TableMetadata
from core.slices.table import SliceTable, write_table
from tests.conftest import volume

CPU = torch.device("cpu")


def _scorer(images: Tensor) -> Tensor:
    return torch.logit(images, eps=1e-3) + 0.1 * torch.linspace(0, 1, images.shape[-1])


def test_figures_equal_scikit_learn(lesioned: SliceTable) -> None:
    found = evaluate(_scorer, lesioned, device=CPU, batch=7)
    images = lesioned.images(slice(None))
    maps = _scorer(torch.from_numpy(images).float() / 255).numpy()
    truth, tissue = lesioned.masks(slice(None)) > 0, images > 0
    figures = found.figures()
    assert figures["pixel.auroc"] == pytest.approx(roc_auc_score(truth.ravel(), maps.ravel()), abs=1e-4)
    assert figures["pixel.average_precision"] == pytest.approx(
        average_precision_score(truth.ravel(), maps.ravel()), abs=1e-3
    )
    assert figures["tissue.auroc"] == pytest.approx(roc_auc_score(truth[tissue], maps[tissue]), abs=1e-4)
    means = torch.from_numpy(maps).sigmoid().mean((1, 2)).numpy()
    assert figures["sample.mean.auroc"] == pytest.approx(roc_auc_score(~lesioned.normal, means), abs=1e-6)


def test_a_family_is_ranked_against_all_slices_without_one(lesioned: SliceTable) -> None:
    found = evaluate(_scorer, lesioned, device=CPU)
    assert set(found.families()) == {"bright"}
    # Here every slice is either bright or clean, so the family's figure is the pooled one.
    assert found.families()["bright"].average_precision == found.pixel().average_precision
    assert objective(found.figures(), ["bright"]) == found.pixel().average_precision


def test_families_are_ranked_apart_and_the_objective_is_their_mean(tmp_path: Path) -> None:
    bright, dark = volume(1, lesion=True), volume(2, lesion=True)
    grey = np.where(dark.masks > 0, 100, dark.images).astype(np.uint8)
    dark = replace(dark, images=grey, families=[family and "dark" for family in dark.families])
    found = evaluate(_scorer, write_table(tmp_path / "two.arrow", [bright, dark], TableMetadata()), device=CPU)
    clean = np.concatenate([bright.images[1::2], dark.images[1::2]])
    expected = []
    for one in (bright, dark):
        maps = _scorer(torch.from_numpy(np.concatenate([one.images[::2], clean])).float() / 255)
        truth = np.concatenate([one.masks[::2], np.zeros_like(clean)])
        expected.append(average_precision_score(truth.ravel(), maps.numpy().ravel()))
    assert expected[0] > expected[1] + 0.5
    assert list(found.families()) == ["bright", "dark"]
    assert [family.average_precision for family in found.families().values()] == pytest.approx(expected, abs=1e-3)
    assert objective(found.figures(), ["bright", "dark"]) == pytest.approx(np.mean(expected), abs=1e-3)
    assert objective(found.figures(), ["dark"]) == pytest.approx(expected[1], abs=1e-3)


def test_lesions_without_a_family_are_no_part_of_another(tmp_path: Path) -> None:
    named, unnamed = volume(1, lesion=True), volume(2, lesion=True)
    grey = np.where(unnamed.masks > 0, 100, unnamed.images).astype(np.uint8)
    unnamed = replace(unnamed, images=grey, families=[None] * len(grey))
    found = evaluate(_scorer, write_table(tmp_path / "two.arrow", [named, unnamed], TableMetadata()), device=CPU)
    images, truth = (np.concatenate([getattr(one, of) for one in (named, unnamed)]) for of in ("images", "masks"))
    maps, healthy = (
        _scorer(torch.from_numpy(images).float() / 255).numpy(),
        np.concatenate([named.masks < 2, grey > -1]),
    )
    healthy[6:] = unnamed.masks == 0
    bright = found.families()["bright"]
    assert bright.positives == (named.masks > 0).sum()
    assert bright.average_precision == pytest.approx(average_precision_score(truth[healthy], maps[healthy]), abs=1e-3)
    assert found.pixel().positives == (truth > 0).sum()


def test_slices_are_compared_within_tenths_by_tissue_area(lesioned: SliceTable) -> None:
    area = np.random.default_rng(0).permutation(np.arange(200) / 200)
    stratum = tenths(area)
    np.testing.assert_array_equal(np.bincount(stratum), 20)
    assert (np.diff(stratum[np.argsort(area)]) >= 0).all()
    found = evaluate(_scorer, lesioned, device=CPU)
    together = np.concatenate(list(found.strata_by_subject().values()))
    np.testing.assert_array_equal(np.sort(together), np.sort(tenths(lesioned.foreground)))
    assert found.figures()["sample.mean.matched_auroc"] == found.matched("mean")


def test_subjects_add_up_to_the_whole(lesioned: SliceTable) -> None:
    found = evaluate(_scorer, lesioned, device=CPU)
    by_subject = found.by_subject()
    assert sorted(by_subject) == list(lesioned.subjects)
    assert sum(each.ranking().positives for each in by_subject.values()) == found.pixel().positives


def test_slice_scores_by_their_definition() -> None:
    image = torch.ones(1, 20, 20)
    image[:, :, 10:] = 0
    logits = torch.full((1, 20, 20), -30.0)
    logits[0, 5, :5] = 30.0
    logits[0, 6, 10:15] = 30.0
    found = {name: float(value[0]) for name, value in sample_scores(logits, image).items()}
    assert set(found) == set(SCORES)
    assert found["mean"] == pytest.approx(10 / 400, abs=1e-6)
    assert found["top"] == pytest.approx(10 / 20, abs=1e-6)
    assert found["foreground_mean"] == pytest.approx(5 / 200, abs=1e-6)
    assert found["foreground_top"] == pytest.approx(5 / 10, abs=1e-6)
    assert found["smooth_max"] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("height", "width", "window"), [(40, 36, 3), (64, 48, 5), (128, 128, 9)])
def test_slice_scores_are_those_of_whole_windows_and_sorted_pixels(height: int, width: int, window: int) -> None:
    """The highest window lies anywhere, and in the first slice at a corner, where the frame cuts it both ways."""
    drawn = torch.Generator().manual_seed(0)
    logits, image = (draw((3, height, width), generator=drawn) for draw in (torch.randn, torch.rand))
    logits[0, : window // 2 + 1, -1 - window // 2 :] = 9
    image[1, 5:] = 0
    image[2] = 1
    probability, tissue = logits.sigmoid(), image > 0
    found = sample_scores(logits, image)
    for place in range(3):
        inside = probability[place][tissue[place]].sort(descending=True).values
        kept = max(1, round(0.05 * len(inside)))
        assert float(found["foreground_top"][place]) == pytest.approx(float(inside[:kept].mean()), abs=1e-6)
        padded = torch.nn.functional.pad(probability[place], (window // 2,) * 4, value=torch.nan)
        windows = padded.unfold(0, window, 1).unfold(1, window, 1).flatten(2)
        assert float(found["smooth_max"][place]) == pytest.approx(float(windows.nanmean(2).max()), abs=1e-6)


@pytest.mark.parametrize("value", [-3.0487, 0.1, 9.2102])
def test_slices_with_one_value_all_over_tie_whatever_the_area_of_their_tissue(value: float) -> None:
    """As the floor's tissue has it, and a network that gives no more than its last bias."""
    image = (torch.arange(64 * 64).reshape(64, 64) < 400 + 37 * torch.arange(90)[:, None, None]).float()
    for name, scores in sample_scores(torch.full((90, 64, 64), value), image).items():
        assert len(scores.unique()) == 1, name


def test_slices_without_tissue_have_finite_scores() -> None:
    for value in sample_scores(torch.zeros(2, 8, 8), torch.zeros(2, 8, 8)).values():
        assert torch.isfinite(value).all()


def test_the_floor_is_what_it_says(healthy: SliceTable, lesioned: SliceTable) -> None:
    images = healthy.images(slice(None))
    scorers = floor_scorers(images, lesioned, CPU)
    batch = torch.from_numpy(images[:3]).float() / 255
    mean = images.mean(0) / 255
    np.testing.assert_array_equal(scorers["intensity"](batch).numpy().argmax(), batch.numpy().argmax())
    expected = np.abs(batch.numpy() - mean)
    found = scorers["deviation"](batch).sigmoid().numpy()
    np.testing.assert_allclose(found, np.clip(expected, 1e-4, 1 - 1e-4), atol=1e-5)
    position = scorers["position"](batch).sigmoid().numpy()
    np.testing.assert_allclose(position[0], np.clip(mean, 1e-4, 1 - 1e-4), atol=1e-5)
    area = sample_scores(scorers["tissue"](batch), batch)["mean"].numpy()
    np.testing.assert_allclose(area, (batch.numpy() > 0).mean((1, 2)), atol=2e-4)
    assert [name for name, one in scorers.items() if one.window > 1] == ["smoothed intensity", "smoothed deviation"]


def test_a_smoothed_score_is_the_mean_over_the_tissue_of_its_window() -> None:
    image = torch.rand(1, 9, 8, generator=torch.Generator().manual_seed(0)) * (torch.arange(8) > 1)
    found = Baseline(lambda batch: batch, 5)(image).sigmoid()[0]
    for row, column in ((0, 2), (4, 4), (8, 7), (3, 2)):
        window = image[0, max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
        assert found[row, column].item() == pytest.approx(window[window > 0].mean().item(), abs=1e-5)
    assert found[:, :2].max().item() == pytest.approx(1e-4, rel=1e-3)


def test_the_window_is_that_of_the_highest_ap_on_the_probe(
    healthy: SliceTable, lesioned: SliceTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: dict[int, float] = {}

    def spy(one: Baseline, table: SliceTable, *, device: torch.device) -> Evaluation:
        found = evaluate(one, table, device=device)
        figures[one.window] = found.figures()["pixel.average_precision"]
        return found

    monkeypatch.setattr(floor, "evaluate", spy)
    chosen = floor_scorers(healthy.images(slice(None)), lesioned, CPU)
    assert list(figures) == [3, 5, 7]  # 6 to 30 parts of 128, at a side of 32, rounded to odd numbers
    assert chosen["smoothed deviation"].window == max(figures, key=lambda window: figures[window])
