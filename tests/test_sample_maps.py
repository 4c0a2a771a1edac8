"""The few slices of the probe on which every trial's map is kept: chosen without any trial, read back as written."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import BadInput
from core.families import FAMILIES
from core.probes import build_probe
from core.sample_maps import read_sample_maps, rows_to_sample, write_sample_maps
from core.sizes import lesion_areas
from core.slices.table import SliceTable

CPU = torch.device("cpu")


@pytest.fixture
def probe(healthy: SliceTable, tmp_path: Path) -> SliceTable:
    return build_probe(healthy, tmp_path / "probe.arrow", per_family=3, clean=4)


def test_one_slice_of_each_family_and_an_unaltered_one(probe: SliceTable, lesioned: SliceTable) -> None:
    rows = rows_to_sample(probe)
    assert probe.family[rows].tolist() == [*sorted(FAMILIES), None]
    area = lesion_areas(probe)
    for row in rows[:-1]:
        assert area[row] == np.median(area[probe.family == probe.family[row]])
    assert probe.foreground[rows[-1]] == probe.foreground[probe.normal].max()
    assert lesioned.family[rows_to_sample(lesioned)].tolist() == ["bright", None]


def test_maps_are_read_back_on_a_scale_of_their_own(probe: SliceTable, tmp_path: Path) -> None:
    rows, path = rows_to_sample(probe), tmp_path / "maps.npz"
    for scale in (1.0, 50.0):
        write_sample_maps(path, lambda batch, scale=scale: scale * batch - 3, probe, rows, device=CPU)
        kept = read_sample_maps(path)
        assert kept is not None
        assert np.array_equal(kept.rows, rows)
        images = probe.images(rows).astype(float)
        low, high = np.percentile(images, [50, 99.8])
        expected = np.clip((images - low) / (high - low), 0, 1) * 255
        assert np.abs(kept.heat - expected).max() <= 1
    assert list(tmp_path.glob(".*.tmp")) == []


def test_a_map_that_is_the_same_everywhere_has_no_heat(probe: SliceTable, tmp_path: Path) -> None:
    write_sample_maps(tmp_path / "maps.npz", torch.zeros_like, probe, rows_to_sample(probe), device=CPU)
    kept = read_sample_maps(tmp_path / "maps.npz")
    assert kept is not None
    assert not kept.heat.any()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"text"])
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    assert read_sample_maps(tmp_path / "absent.npz") is None
    (tmp_path / "maps.npz").write_bytes(content)
    with pytest.raises(BadInput, match=r"maps\.npz: cannot be read"):
        read_sample_maps(tmp_path / "maps.npz")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "maps.npz", rows=np.array([{}], object), heat=np.zeros(1))
    with pytest.raises(BadInput, match="cannot be read"):
        read_sample_maps(tmp_path / "maps.npz")
