"""The same slices through every detector: chosen without any, kept and read back."""

from pathlib import Path

import numpy as np
import torch

from core.detectors import VAE, Segmenter
from core.evaluation import scorer_of
from core.losses import Combo
from core.panels import LESIONS, look, read_panels, rows_to_show, write_panels
from core.slices.layout import TableMetadata
from core.slices.table import SliceTable, write_table
from tests.conftest import volume


def test_the_largest_lesions_of_subjects_and_one_healthy_slice_are_shown(
    lesioned: SliceTable, healthy: SliceTable, tmp_path: Path
) -> None:
    rows = rows_to_show(lesioned)
    subjects = lesioned.subject[rows].tolist()
    assert subjects[:-1] == ["test/patient-50", "test/patient-51"]
    assert lesioned.normal[rows].tolist() == [False, False, True]
    assert lesioned.foreground[rows[-1]] == lesioned.foreground[lesioned.normal].max()
    assert len(rows_to_show(healthy)) == 1
    many = write_table(tmp_path / "many.arrow", (volume(n, lesion=True) for n in range(9)), TableMetadata())
    rows = rows_to_show(many)
    assert len(set(many.subject[rows[:LESIONS]])) == LESIONS == len(rows) - 1


def test_panels_are_read_back_as_they_were_written(lesioned: SliceTable, tmp_path: Path) -> None:
    torch.manual_seed(0)
    modules = {"a": Segmenter(base=2, depth=2).build(Combo()), "b": VAE(base=2, depth=2, latent=2).build(Combo())}
    detectors = {name: (module.eval(), scorer_of(module, bf16=False)) for name, module in modules.items()}
    rows = rows_to_show(lesioned)
    panels = look(detectors, lesioned, rows, torch.device("cpu"))
    assert panels.looked["a"].reconstruction is None
    assert panels.looked["a"].samples is None
    images = torch.from_numpy(lesioned.images(rows)).float() / 255
    wanted = detectors["b"][1](images).detach().numpy()
    np.testing.assert_allclose(panels.looked["b"].map, wanted, rtol=2e-3, atol=2e-3)
    rebuilt = modules["b"].reconstruction(images[:, None])[:, 0].detach().clamp(0, 1) * 255
    assert np.abs(panels.looked["b"].reconstruction - rebuilt.numpy()).max() <= 0.51  # type: ignore[operator]
    write_panels(tmp_path / "panels.npz", panels)
    found = read_panels(tmp_path / "panels.npz")
    assert found is not None
    assert list(found.looked) == ["a", "b"]
    for name, one in panels.looked.items():
        for part in ("map", "reconstruction", "samples"):
            kept, was = getattr(found.looked[name], part), getattr(one, part)
            assert (kept is None) == (was is None)
            assert kept is None or np.array_equal(kept, was)
    assert np.array_equal(found.mask, lesioned.masks(rows))
    assert read_panels(tmp_path / "absent.npz") is None
