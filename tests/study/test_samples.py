"""Which trials' maps a report shows, on which slices, in what order, and what it says where there are none."""

from dataclasses import replace

import numpy as np
from stored_studies import FULL, Stored

from core.families import FAMILIES
from core.sample_maps import FILE
from study.figures.samples import BEST, samples_info
from study.page.trials import trials_data
from study.records import read_study


def test_scored_trials_are_shown_on_one_slice_of_each_family(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    found = samples_info(record, 6)
    assert set(found.maps) == {0, 1, 2, 3, 4, 5, 6, 8}  # 7 failed before its first epoch
    judging, *others = list(FAMILIES)[-2:], *list(FAMILIES)[:-2]
    assert [one.family for one in found.slices.values()] == [*sorted(judging), *sorted(others), ""]
    assert [one.judges for one in found.slices.values()] == [True] * 2 + [False] * 7
    for one in found.slices.values():
        assert one.truth.any() == bool(one.family)
    assert found.missing == ""
    told = trials_data(record, 6)["maps"]
    assert [one["row"] for one in told["slices"]] == list(found.slices)
    assert set(told["of"]) == set(found.maps)
    assert all(uri.startswith("data:image/webp;base64,") for uri in told["of"][6].values())


def test_of_a_large_study_the_best_the_winner_and_the_presets_own(stored: Stored) -> None:
    stored.search([(FULL, 4)] * 30)
    record = read_study(stored.folder)
    assert set(samples_info(record, 3).maps) == {0, 3, *range(30 - BEST, 30)}


def test_why_there_are_none_is_said(finished: Stored) -> None:
    record = read_study(finished.folder)
    gone = replace(record.definition, probe=replace(record.definition.probe, path="/gone.arrow"))
    assert "/gone.arrow" in samples_info(replace(record, definition=gone), 6).missing
    (finished.folder.training("search", 6) / FILE).write_bytes(b"damaged")
    assert "00006/sample_maps.npz: cannot be read" in samples_info(record, 6).missing
    for path in finished.folder.root.glob(f"search/*/{FILE}"):
        path.unlink()
    none = samples_info(record, 6)
    assert none.missing == "No trial of this study kept any."
    assert not none.slices
    assert trials_data(record, 6)["maps"]["of"] == {}


def test_a_slice_and_its_map_are_seen_at_one_place(finished_once: Stored) -> None:
    """Stored maps are the slices themselves, so where a slice is bright its map is hot."""
    found = samples_info(read_study(finished_once.folder), 6)
    for row, heat in zip(*found.maps[6], strict=True):
        image = found.slices[int(row)].image
        assert np.corrcoef(image.ravel(), heat.ravel())[0, 1] > 0.5
